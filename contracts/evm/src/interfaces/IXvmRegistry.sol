// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @title Registry
/// @notice What integrators and relayers point at: the gateway of each chain, how each chain is observed, the windows of each
/// route, and the signers' operators. It only tells; no other contract's safety rests on it. Records are appended, each with
/// the height of the observed chain from which it holds, so that the past stays decidable.
interface IXvmRegistry {
    /// @notice When a block counts as final.
    enum Finality {
        /// The chain's own `finalized` tag.
        FINALIZED,
        /// The chain's own `safe` tag.
        SAFE,
        /// `depthBlocks` blocks on top.
        DEPTH
    }

    /// @notice How a chain is observed.
    struct ChainRecord {
        /// ERC-7930 address of its gateway; empty: retired.
        bytes gateway;
        Finality finality;
        /// For `DEPTH`: 0 where a block is final at once; else 0.
        uint32 depthBlocks;
        /// Height of that chain from which this record holds.
        uint64 activationHeight;
    }

    /// @notice The windows of a route.
    struct RouteRecord {
        /// Blocks of the source chain in one batch of `Execute` statements; both windows 0: the route is retired.
        uint32 sourceWindowBlocks;
        /// Blocks of the destination chain in one batch of outcomes.
        uint32 destinationWindowBlocks;
        /// Height of the source chain from which this record holds.
        uint64 sourceActivationHeight;
        /// Height of the destination chain from which this record holds.
        uint64 destinationActivationHeight;
    }

    /// @notice Who runs a signer.
    struct Operator {
        /// Base URL that its peers reach it at; empty: gone.
        string endpoint;
        /// Account on this chain that its share of the signers' fees is credited to.
        address payout;
    }

    /// @notice A chain's next record.
    event XVMChainRecorded(bytes32 indexed chainHash, bytes chain, ChainRecord record);

    /// @notice A route's next record.
    event XVMRouteRecorded(bytes32 indexed routeHash, bytes source, bytes destination, RouteRecord record);

    /// @notice An operator came, moved or went.
    event XVMOperatorSet(bytes32 indexed operator, string endpoint, address payout);

    /// @notice Records of one subject take effect in the order in which they are made.
    error ActivationNotLater(uint64 activationHeight, uint64 latestActivationHeight);

    /// @notice Not an ERC-7930 version 1 address of a chain alone.
    error MalformedChain();

    /// @notice Not an ERC-7930 version 1 address of an account (on the record's chain).
    error MalformedGateway();

    /// @notice A depth is given without the finality `DEPTH`.
    error BadFinality();

    /// @notice The zero operator names nobody.
    error BadOperator();

    /// @notice Appends a chain's record; owner only. `chain` is an ERC-7930 address without account.
    function recordChain(bytes calldata chain, ChainRecord calldata record) external;

    /// @notice Appends a route's record; owner only.
    /// @param source ERC-7930 address of the source gateway.
    /// @param destination That of the destination gateway; for queries, of the destination chain.
    /// @param record The windows.
    function recordRoute(bytes calldata source, bytes calldata destination, RouteRecord calldata record) external;

    /// @notice Sets an operator's record; owner only.
    function setOperator(bytes32 operator, Operator calldata record) external;

    /// @notice All chains that ever had a record, as ERC-7930 addresses without account.
    function chains() external view returns (bytes[] memory);

    /// @notice All records of a chain, oldest first.
    function chainRecords(bytes calldata chain) external view returns (ChainRecord[] memory);

    /// @notice The gateway of a chain's newest record; empty if there is none.
    function gatewayOf(bytes calldata chain) external view returns (bytes memory);

    /// @notice All routes that ever had a record: sources and destinations, index by index.
    function routes() external view returns (bytes[] memory sources, bytes[] memory destinations);

    /// @notice All records of a route (named by keccak256 of source ‖ destination), oldest first.
    function routeRecords(bytes32 routeHash) external view returns (RouteRecord[] memory);

    /// @notice All operators that ever had a record.
    function operators() external view returns (bytes32[] memory);

    /// @notice An operator's record.
    function operatorRecord(bytes32 operator) external view returns (Operator memory);

    /// @notice Where an operator's fees go on this chain; zero if it has no record.
    function payoutOf(bytes32 operator) external view returns (address);
}
