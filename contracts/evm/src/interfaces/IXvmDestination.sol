// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {ExecuteBatch, ExpireBatch, RequestByHash} from "./XvmTypes.sol";

/// @title Destination side of a gateway
/// @notice Consumes every certified request exactly once, and leaves a receipt of it.
interface IXvmDestination {
    /// @notice The receipt: what became of a request.
    /// @param requestId The request.
    /// @param sourceGatewayHash keccak256 of `sourceGateway`.
    /// @param sourceGateway The gateway that asked.
    /// @param kind `Kind`.
    /// @param cut The target answered with more bytes than the request's limit.
    /// @param returnData What the outcome will say.
    /// @param payee Whom the submitter wants paid on the source chain.
    event XVMCallConcluded(
        uint256 indexed requestId,
        bytes32 indexed sourceGatewayHash,
        bytes sourceGateway,
        uint8 kind,
        bool cut,
        bytes returnData,
        bytes32 payee
    );

    /// @notice A request was passed over and stays as it was. `reason` is the selector of the error below that names it.
    event XVMCallSkipped(uint256 indexed requestId, bytes4 reason);

    /// @notice A request was shown to be past its expiry: what is ordered after it no longer waits for it.
    event XVMLapseShown(uint256 indexed requestId);

    /// @notice The request may still be executed.
    error NotLapsed(uint256 requestId, uint64 expiry);

    /// @notice Skip: the request is for another gateway, or for none.
    error WrongGateway();

    /// @notice Skip: the target lives on another chain.
    error WrongChain();

    /// @notice Skip: this gateway executes nothing for that source gateway.
    error UnregisteredSourceGateway();

    /// @notice Skip: the guardian paused executions for that source gateway.
    error InboundPaused();

    /// @notice Skip: the request, or this attempt of it, was consumed before.
    error AlreadyConsumed();

    /// @notice Skip: the request may still be executed, so `expire` leaves it alone.
    error NotExpired();

    /// @notice Skip: the request is to run after one that is neither consumed nor expired.
    error PredecessorOpen();

    /// @notice Verifies batches of requests and executes them. What does not belong here or was consumed is skipped with a log.
    /// @dev Only a transaction's own sender, an account without code, may call. Too little gas for any request's full
    /// execution gas reverts the whole transaction.
    /// @param batches Certified batches.
    /// @param payee Account on the source chain that gets the execution shares.
    function execute(ExecuteBatch[] calldata batches, bytes32 payee) external;

    /// @notice Verifies batches of requests and concludes those past their expiry. Anyone may call, contracts too, and no pause
    /// stops it.
    function expire(ExpireBatch[] calldata batches, bytes32 payee) external;

    /// @notice Shows requests to be past their expiry, so that what is ordered after them need not wait for a certificate about
    /// them (which may never come). Needs none itself: an id commits to its expiry. Consumes nothing: `expire` still can.
    /// Anyone may call; reverts if one of them may still run.
    function showLapsed(RequestByHash[] calldata requests) external;

    /// @notice The request that is being executed, for its target. SECURITY: means something only while `msg.sender` is the
    /// executor, or the own account of the very sender that it tells: others may call a target in between.
    /// @return requestId 0 when none is.
    /// @return sender ERC-7930 address of the account that asked.
    function currentRequest() external view returns (uint256 requestId, bytes memory sender);

    /// @notice The slot word of a request: kind ‖ low 248 bits of the consuming attempt's id; 0 if not consumed.
    function consumed(uint256 requestId) external view returns (bytes32 slotWord);

    /// @notice The contract that calls targets.
    function executor() external view returns (address);

    /// @notice The contract that calls targets from their askers' own accounts; its `accountOf` tells where these are.
    function accounts() external view returns (address);
}
