// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IXvmDestination} from "./IXvmDestination.sol";
import {IXvmPausable} from "./IXvmPausable.sol";
import {IXvmSource} from "./IXvmSource.sol";
import {Direction} from "./XvmTypes.sol";

/// @title Gateway
/// @notice Both sides of a chain's gateway, the credits it owes and its controls.
interface IXvmGateway is IXvmSource, IXvmDestination, IXvmPausable {
    /// @notice The verifier changed.
    event XVMVerifierChanged(address indexed verifier);

    /// @notice The treasury changed.
    event XVMTreasuryChanged(address indexed treasury);

    /// @notice A direction is paused before `untilBlock` (0: lifted).
    event XVMPaused(Direction indexed direction, uint256 untilBlock, address by);

    /// @notice An account took its credit out.
    event XVMWithdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice An epoch's pool was credited to its signers' payout addresses by weight.
    event XVMSignersPaid(address indexed verifier, uint64 indexed epoch, uint256 amount);

    /// @notice The direction is paused before this block.
    error Paused(Direction direction, uint256 untilBlock);

    /// @notice Only a transaction's own sender may call, and only if it has no code.
    error ContractCaller(address caller);

    /// @notice `given` does not fit the items and bare leaves, or there are more than 256.
    error MalformedBatch();

    /// @notice This was never the gateway's verifier.
    error UnknownVerifier(address verifier);

    /// @notice The verifier verifies for another gateway.
    error OtherGatewaysVerifier(address verifier);

    /// @notice A gateway's epochs never restart: the next verifier's newest must be above the former one's. Have a set installed
    /// there first, while this gateway still has the former one.
    error EpochsMustRise(uint64 given, uint64 former);

    /// @notice A gateway has at most 255 verifiers in its life.
    error TooManyVerifiers();

    /// @notice The account has no credit.
    error NoCredit(address account);

    /// @notice The receiver refused the money.
    error WithdrawalRefused(address to);

    /// @notice Sends the caller's whole credit to `to`. Never paused.
    /// @return amount Wei.
    function withdraw(address to) external returns (uint256 amount);

    /// @notice Wei that an account may withdraw.
    function credits(address account) external view returns (uint256);

    /// @notice Moves what the deliveries of some accounts earned for signers into the pools of the epochs that certified them.
    /// Until then it is held with the deliverer's own credit, which saves each delivery a write. Anyone may call.
    function collectForSigners(address[] calldata deliverers) external;

    /// @notice Wei that an account's deliveries earned for signers and that is not in a pool yet.
    function uncollected(address deliverer) external view returns (uint256);

    /// @notice Credits an epoch's pool to its signers by weight: each operator's payout address in the registry, the treasury
    /// for operators without one. Anyone may call, after `collectForSigners`.
    /// @param verifier_ The verifier that counts the epoch: the current one, or one that it replaced.
    /// @param epoch The epoch.
    /// @return amount Wei.
    function paySigners(address verifier_, uint64 epoch) external returns (uint256 amount);

    /// @notice Wei in the pool of a verifier's epoch: collected and not yet credited by `paySigners`.
    function signersPool(address verifier_, uint64 epoch) external view returns (uint256);

    /// @notice This gateway's ERC-7930 address.
    function gatewayAddress() external view returns (bytes memory);

    /// @notice The certificates' verifier.
    function verifier() external view returns (address);

    /// @notice The route and price table.
    function routes() external view returns (address);

    /// @notice The registry; zero if this chain has none.
    function registry() external view returns (address);

    /// @notice Whom unclaimable shares go to.
    function treasury() external view returns (address);

    /// @notice Sets the verifier; owner only. It is one of this gateway, and its newest epoch is above the former one's.
    function setVerifier(address verifier_) external;

    /// @notice Sets the treasury; owner only.
    function setTreasury(address treasury_) external;

    /// @notice Stops a direction for `blocks_` blocks; guardian or owner. Deadlines stand still while callbacks are paused.
    function pause(Direction direction, uint32 blocks_) external;

    /// @notice Lifts a pause; owner only.
    function unpause(Direction direction) external;

    /// @notice The block from which a direction is open again; 0 if it is open.
    function pausedUntilBlock(Direction direction) external view returns (uint256);
}
