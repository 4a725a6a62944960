// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IXvmPausable} from "./IXvmPausable.sol";
import {Options} from "./XvmTypes.sol";

/// @title Route and price table of one chain's gateway
/// @notice Where requests may go, within which bounds and for how much; and whose requests are executed here. Gas is in the
/// unit of the chain it is spent on, prices are in wei of this chain per 10^9 units of gas.
interface IXvmRoutes is IXvmPausable {
    /// @notice A destination chain, as the source side uses it.
    struct Outbound {
        /// Gateway there; empty: no `CALL`.
        bytes destinationGateway;
        /// `QUERY` is offered.
        bool queries;
        /// Bit n set: a target's address may have n bytes (EVM: 1 << 20).
        uint64 addressLengths;
        /// At most 65,536.
        uint32 maxPayloadBytes;
        /// At most 65,536, at least 1,024.
        uint32 maxReturnBytes;
        /// At most 10,000,000, at least 500,000.
        uint32 maxExecutionGas;
        /// At most 10,000,000, at least 300,000.
        uint32 maxCallbackGas;
        /// An expiry lies so many seconds ahead at least …
        uint32 minExpirySeconds;
        /// … and at most.
        uint32 maxExpirySeconds;
        /// Taken where none is given; must pass before `deadlineBlocks` do.
        uint32 defaultExpirySeconds;
        /// What both finalities need, in blocks of this chain; 100 at least. Default and minimum of a deadline.
        uint32 deadlineBlocks;
        /// The longest deadline.
        uint32 maxDeadlineBlocks;
    }

    /// @notice What a request to a chain costs.
    struct Price {
        /// Wei of this chain for 10^9 gas there.
        uint128 executionWeiPerGigagas;
        /// Wei for 10^9 gas here.
        uint128 callbackWeiPerGigagas;
        /// Certificate share, per request, in wei.
        uint96 signersWei;
        /// Gas there per request, besides the execution gas limit.
        uint32 executionOverheadGas;
        /// Gas here per request, besides the callback gas limit.
        uint32 callbackOverheadGas;
        /// Gas there for concluding a request without running it (`EXPIRED`, `DUPLICATE`).
        uint32 expireGas;
        /// Gas there per byte of payload.
        uint16 executionGasPerByte;
        /// Gas here per byte of return data.
        uint16 callbackGasPerByte;
        /// On top of the gas shares, in 1/10,000, for the signers.
        uint16 marginBps;
        /// What a `QUERY`'s gas costs, in 1/10,000 of `executionWeiPerGigagas`: each signer computes it, nobody pays gas for it.
        uint16 queryBps;
    }

    /// @notice A request's options with defaults filled in, and its price.
    struct Plan {
        /// Gateway that executes it; empty for a `QUERY`.
        bytes destinationGateway;
        /// Second half of the route: the destination gateway, or for a `QUERY` the target's chain.
        bytes destination;
        uint64 executionGasLimit;
        uint64 callbackGasLimit;
        uint32 returnLimit;
        uint64 expiry;
        /// Blocks from now.
        uint64 deadlineBlocks;
        /// Wei for whoever executes.
        uint256 executionShare;
        /// Wei for whoever delivers.
        uint256 callbackShare;
        /// Wei for the epoch's signers.
        uint256 signersShare;
        /// 1/10,000 of the execution share that the payee of an `EXPIRED` or `DUPLICATE` receipt keeps.
        uint16 expiredBps;
    }

    /// @notice What `execute` needs to know of a source gateway.
    enum Inbound {
        UNREGISTERED,
        OPEN,
        PAUSED
    }

    /// @notice A destination chain was opened or changed.
    event XVMOutboundSet(bytes32 indexed chainHash, bytes chain, Outbound route);

    /// @notice A destination chain was closed.
    event XVMOutboundRemoved(bytes32 indexed chainHash, bytes chain);

    /// @notice A price changed; the cheaper of old and new is charged until `settledFromBlock`.
    event XVMPriceSet(bytes32 indexed chainHash, bytes chain, Price price, uint256 settledFromBlock);

    /// @notice Requests of a source gateway are executed from now on, or no longer.
    event XVMInboundSet(bytes32 indexed sourceGatewayHash, bytes sourceGateway, bool registered);

    /// @notice A route to a chain is paused before `untilBlock` (0: lifted).
    event XVMOutboundPaused(bytes32 indexed chainHash, uint256 untilBlock, address by);

    /// @notice A route from a gateway is paused before `untilBlock` (0: lifted).
    event XVMInboundPaused(bytes32 indexed sourceGatewayHash, uint256 untilBlock, address by);

    /// @notice No route leads there, or not in this mode.
    error Unrouted(bytes32 chainHash);

    /// @notice The route is paused before this block.
    error RoutePaused(uint256 untilBlock);

    /// @notice The owner set no price for this chain yet.
    error Unpriced(bytes32 chainHash);

    /// @notice Not an ERC-7930 version 1 address with an address length that the route takes.
    error MalformedTarget();

    /// @notice Not an ERC-7930 version 1 address of a chain alone.
    error MalformedChain();

    /// @notice Not an ERC-7930 version 1 address of an account on the route's chain.
    error MalformedGateway();

    /// @notice Neither `CALL` nor `QUERY`.
    error UnknownMode(uint8 mode);

    /// @notice The payload is longer than the route takes.
    error PayloadTooLarge(uint256 length, uint256 maxLength);

    /// @notice The metadata is longer than 256 bytes.
    error MetadataTooLarge(uint256 length, uint256 maxLength);

    /// @notice More return data is asked for than the route brings back.
    error ReturnLimitTooHigh(uint256 limit, uint256 maxLimit);

    /// @notice More execution gas than the route gives.
    error ExecutionGasTooHigh(uint256 gasLimit, uint256 maxGasLimit);

    /// @notice More callback gas than the route gives.
    error CallbackGasTooHigh(uint256 gasLimit, uint256 maxGasLimit);

    /// @notice The expiry lies outside of what the route takes (for a `QUERY`: is not 0).
    error ExpiryOutOfBounds(uint256 expiry, uint256 earliest, uint256 latest);

    /// @notice The deadline lies outside of what the route takes.
    error DeadlineOutOfBounds(uint256 blocks_, uint256 minBlocks, uint256 maxBlocks);

    /// @notice A `QUERY` cannot be ordered, use an own account, or fix a code hash.
    error NotForQueries();

    /// @notice A route's bounds contradict the protocol's or each other; `field` names the first that does.
    error BadRoute(string field);

    /// @notice The last price change is not settled yet.
    error PriceUnsettled(uint256 settledFromBlock);

    /// @notice For how many blocks a quote is honoured, whatever the owner sets meanwhile.
    function quoteValidityBlocks() external view returns (uint32);

    /// @notice This chain's average block time, by which a default expiry is held against a deadline.
    function blockMilliseconds() external view returns (uint32);

    /// @notice Opens or changes the route to a chain; owner only. `chain` is an ERC-7930 address without account.
    function setOutbound(bytes calldata chain, Outbound calldata route) external;

    /// @notice Closes the route to a chain; owner only. Its price stays.
    function removeOutbound(bytes calldata chain) external;

    /// @notice Prices requests to a chain; owner only, not more often than every `quoteValidityBlocks`.
    function setPrice(bytes calldata chain, Price calldata price) external;

    /// @notice Registers or strikes off a gateway whose requests are executed here; owner only.
    function setInbound(bytes calldata sourceGateway, bool registered) external;

    /// @notice Pauses requests to a chain for `blocks_` blocks; guardian or owner.
    function pauseOutbound(bytes calldata chain, uint32 blocks_) external;

    /// @notice Pauses executions for a source gateway for `blocks_` blocks; guardian or owner.
    function pauseInbound(bytes calldata sourceGateway, uint32 blocks_) external;

    /// @notice Lifts `pauseOutbound`; owner only.
    function unpauseOutbound(bytes calldata chain) external;

    /// @notice Lifts `pauseInbound`; owner only.
    function unpauseInbound(bytes calldata sourceGateway) external;

    /// @notice Fills in defaults, checks every bound and prices a request, or reverts with the reason. In the
    /// `quoteValidityBlocks` after a price change the cheaper of the two prices is charged.
    function plan(bytes calldata target, uint256 payloadLength, Options calldata options)
        external
        view
        returns (Plan memory);

    /// @notice The fee at the newest price, which is honoured for the next `quoteValidityBlocks` blocks at least.
    function quote(bytes calldata target, uint256 payloadLength, Options calldata options)
        external
        view
        returns (uint256 fee);

    /// @notice Whether requests of a source gateway, named by keccak256 of its address, are executed here.
    function inbound(bytes32 sourceGatewayHash) external view returns (Inbound);

    /// @notice The route to a chain; reverts with `Unrouted` where none is open.
    function outbound(bytes calldata chain) external view returns (Outbound memory route, uint256 pausedUntilBlock);

    /// @notice The newest price of a chain; reverts with `Unpriced` where none was set.
    function price(bytes calldata chain) external view returns (Price memory newest, uint256 settledFromBlock);
}
