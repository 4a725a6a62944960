// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {DeliverBatch, Options, OutcomeItem, PendingRequest, Request} from "./XvmTypes.sol";

/// @title Source side of a gateway
/// @notice Emits requests, escrows their fees and runs their callbacks.
interface IXvmSource {
    /// @notice A request was made.
    /// @param requestId Struct hash of `request`.
    /// @param sender Account that asked.
    /// @param routeHash keccak256 of source gateway ‖ destination gateway (`QUERY`: target's chain).
    /// @param request The whole request.
    /// @param fee Escrowed wei.
    /// @param deadline Height of this chain after which `sender` may cancel, if callbacks are not paused until then.
    event XVMCallRequested(
        uint256 indexed requestId,
        address indexed sender,
        bytes32 indexed routeHash,
        Request request,
        uint256 fee,
        uint64 deadline
    );

    /// @notice A pending request's fee was topped up by `amount` to `fee` wei.
    event XVMFeeAdded(uint256 indexed requestId, uint256 amount, uint256 fee);

    /// @notice A request's outcome arrived, and its callback ran (requests from transactions: this event alone).
    event XVMCallbackDelivered(
        uint256 indexed requestId, uint8 kind, bool success, bytes32 returnDataHash, address deliverer
    );

    /// @notice A request's outcome arrived, but its callback failed. `outcomeHash` is the Outcome's struct hash: whoever shows
    /// the outcome may replay the callback.
    event XVMHandlerFailed(uint256 indexed requestId, uint8 kind, bool success, bytes32 outcomeHash, address deliverer);

    /// @notice An outcome was passed over: its request is not pending here.
    event XVMOutcomeSkipped(uint256 indexed requestId);

    /// @notice A requester cancelled; its callback share went back. Its call may have been, or may yet be, executed: the
    /// destination gateway's `consumed` tells. Whatever becomes of it, no callback follows.
    event XVMCancelled(uint256 indexed requestId, uint256 returned);

    /// @notice A cancelled request's outcome arrived: payee and signers were paid, nothing was called.
    event XVMCancelledConcluded(uint256 indexed requestId, uint8 kind, address deliverer);

    /// @notice No outcome of a cancelled request arrived in time: what was left of its fee went back.
    event XVMReclaimed(uint256 indexed requestId, uint256 returned);

    /// @notice How often a sender may ask changed.
    event XVMSenderLimitSet(uint32 windowBlocks, uint32 maxRequests);

    /// @notice The sender asked as often as it may in this window of blocks; the next begins at `nextWindowBlock`.
    error SenderLimit(uint256 nextWindowBlock);

    /// @notice Only the account that asked may do this.
    error NotRequester(address caller);

    /// @notice The request may not be cancelled before its deadline is over.
    error DeadlineNotOver(uint256 deadlineBlock);

    /// @notice The request may not be cancelled before its expiry is over for any clock.
    error ExpiryNotOver(uint256 untilSeconds);

    /// @notice Queries and ordered requests are not retried: ask anew.
    error NotRetriable(uint256 requestId);

    /// @notice The route names another destination gateway now, which knows nothing of the earlier attempt: ask anew.
    error RouteMoved();

    /// @notice The request is not cancelled.
    error NotCancelled(uint256 requestId);

    /// @notice An outcome may still arrive and earn the share.
    error TooEarlyToReclaim(uint256 fromSeconds);

    /// @notice The payment does not cover the fee.
    error InsufficientFee(uint256 required, uint256 paid);

    /// @notice A fee's share does not fit its storage.
    error FeeTooHigh(uint256 amount);

    /// @notice The request is not pending.
    error NotPending(uint256 requestId);

    /// @notice The request has no failed handler.
    error NotHandlerFailed(uint256 requestId);

    /// @notice This is not the outcome whose callback failed.
    error OtherOutcome(uint256 requestId);

    /// @notice The handler failed again; nothing changed.
    error HandlerFailedAgain(uint256 requestId);

    /// @notice A replay gives its handler no less gas than the request asked for.
    error CallbackGasTooLow(uint256 gasLimit, uint256 minGasLimit);

    /// @notice The callback could not be given its full gas (EIP-150). The transaction reverts.
    error InsufficientCallbackGas(uint256 requestId);

    /// @notice An ordered request must not expire before the one that it runs after.
    error ExpiryBeforePredecessor(uint256 expiry, uint256 predecessorExpiry);

    /// @notice This version has no dispute windows.
    error DisputesUnsupported();

    /// @notice Asks for a `CALL` with the route's defaults to a contract on an EVM chain, named in short form.
    /// @dev What is paid above the fee goes back: to the caller, or if it refuses the money, as its credit.
    /// @param targetChainId EIP-155 chain id.
    /// @param targetContract Contract to call there.
    /// @param fnSelector Its function.
    /// @param params The function's abi-encoded arguments.
    function xvmExecute(uint256 targetChainId, address targetContract, bytes4 fnSelector, bytes calldata params)
        external
        payable
        returns (uint256 requestId);

    /// @notice Asks for a call of any kind, anywhere. Anything that is out of bounds, unpaid, unrouted, paused or not
    /// supported reverts with a named error.
    /// @param target ERC-7930 address of the contract to call.
    /// @param payload The call in the target VM's own encoding.
    /// @param options The rest.
    function xvmExecute(bytes calldata target, bytes calldata payload, Options calldata options)
        external
        payable
        returns (uint256 requestId);

    /// @notice What a request costs in wei now, good for the route table's `quoteValidityBlocks`.
    function quote(bytes calldata target, uint256 payloadLength, Options calldata options)
        external
        view
        returns (uint256 fee);

    /// @notice What the simple form costs. `payloadLength` counts the selector's 4 bytes.
    function quote(uint256 targetChainId, uint256 payloadLength) external view returns (uint256 fee);

    /// @notice Raises a pending request's fee by the value sent, split between its execution and callback shares as they stand.
    function addFee(uint256 requestId) external payable;

    /// @notice Verifies batches of outcomes and runs their callbacks. Outcomes that are not pending are skipped; a failing
    /// callback harms no other. Credits the outcome's payee, the caller and the epoch's signers.
    /// @dev Only a transaction's own sender, an account without code, may call.
    function deliver(DeliverBatch[] calldata batches) external;

    /// @notice Replays the callback of an outcome whose handler failed, with at least the gas that the request asked for. Free
    /// for anyone; reverts if the handler fails again.
    /// @dev Only a transaction's own sender, an account without code, may call.
    function retryCallback(OutcomeItem calldata outcome, uint64 gasLimit) external;

    /// @notice Gives a pending request up and returns its callback share, for its requester alone, once its deadline is over and
    /// (for a `CALL`) its expiry as well, by 5 minutes for the difference of two chains' clocks. No callback follows. SECURITY:
    /// the call may have been executed, or may yet be found to have been: look at the destination gateway's `consumed` before
    /// asking for the same again, or use `retry`. Never paused.
    /// @param request The whole request, as logged.
    function cancel(Request calldata request) external;

    /// @notice Asks again for what may not have happened: cancels the request (when `cancel` may, or after it has) and makes another
    /// with the same fields but nonce, expiry and origin, paid anew. It cannot run twice: if an earlier attempt was executed,
    /// reverted or unreached, this one ends as a duplicate, with what became of that one. Refused for queries and ordered
    /// requests, and if the route names another destination gateway now.
    /// @param request The earlier attempt, as logged.
    /// @param expiry As in `Options`.
    /// @param deadlineBlocks As in `Options`.
    function retry(Request calldata request, uint64 expiry, uint64 deadlineBlocks)
        external
        payable
        returns (uint256 requestId);

    /// @notice Returns what is left of a cancelled request's fee, if no outcome arrived for 7 days. Anyone may call.
    function reclaim(uint256 requestId) external;

    /// @notice Limits each sender to so many requests, retries included, in each window of so many blocks (those whose height divided
    /// by it gives the same number); owner only. A zero in either: no limit, which is where a gateway starts.
    function setSenderLimit(uint32 windowBlocks, uint32 maxRequests) external;

    /// @notice See `setSenderLimit`.
    function senderLimit() external view returns (uint32 windowBlocks, uint32 maxRequests);

    /// @notice The last ordered request of a sender on a route (keccak256 of both gateways' addresses), and its expiry; 0 before
    /// the first.
    function lastOrdered(address sender, bytes32 routeHash) external view returns (uint256 requestId, uint64 expiry);

    /// @notice What is stored about a request.
    function pendingRequest(uint256 requestId) external view returns (PendingRequest memory);

    /// @notice The nonce of a sender's next request.
    function nonces(address sender) external view returns (uint64);
}
