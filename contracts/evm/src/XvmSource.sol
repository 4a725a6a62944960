// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IXvmCallback} from "./interfaces/IXvmCallback.sol";
import {IXvmRoutes} from "./interfaces/IXvmRoutes.sol";
import {IXvmSource} from "./interfaces/IXvmSource.sol";
import {IXvmVerifier} from "./interfaces/IXvmVerifier.sol";
import {
    DeliverBatch,
    Direction,
    Kind,
    Mode,
    Options,
    OutcomeItem,
    PendingRequest,
    Request,
    State
} from "./interfaces/XvmTypes.sol";
import {Batches} from "./libraries/Batches.sol";
import {BoundedCall} from "./libraries/BoundedCall.sol";
import {Merkle} from "./libraries/Merkle.sol";
import {PendingWords} from "./libraries/PendingWords.sol";
import {RequestHash} from "./libraries/RequestHash.sol";
import {StatementHash} from "./libraries/StatementHash.sol";
import {XvmControl} from "./XvmControl.sol";
import {XvmCredits} from "./XvmCredits.sol";

/// @title Source side
/// @notice See `IXvmSource`.
abstract contract XvmSource is XvmCredits {
    using PendingWords for uint256;

    /// @dev Two words of a request; see `PendingWords`.
    struct Pending {
        uint256 who;
        uint256 fees;
    }

    /// @dev One word a sender: what keeps its nonce keeps its limit as well, and a delivery writes nothing for either.
    struct Sender {
        uint64 nonce;
        /// The window of blocks in which it asked last, and how often it did in there.
        uint64 window;
        uint64 windowCount;
    }

    /// @dev How often a sender may ask in a window of blocks. A zero in either: no limit.
    struct Limit {
        uint32 windowBlocks;
        uint32 maxRequests;
    }

    /// @dev What a delivery owes, written once for a run of outcomes with one payee, and once for a run of batches with one epoch.
    struct Tally {
        bytes32 payee;
        uint256 payeeAmount;
        uint32 epochTag;
        uint256 delivererAmount;
        uint256 signersAmount;
    }

    /// @dev What a retry takes from the earlier attempt; zeros for a first attempt.
    struct Attempt {
        uint256 origin;
        bytes32 destinationGatewayHash;
    }

    /// @dev The last ordered request of a sender on a route.
    struct Ordered {
        uint256 requestId;
        uint64 expiry;
    }

    /// @dev How far two chains' clocks may stand apart when an expiry is said to be over.
    uint256 private constant CLOCK_SKEW_SECONDS = 5 minutes;

    /// @dev How long a cancelled request's execution share waits for who may have earned it.
    uint256 private constant RECLAIM_SECONDS = 7 days;

    /// @dev What the first ordered request of a sender on a route runs after.
    uint256 private constant FIRST_ORDERED = 1;

    mapping(uint256 requestId => Pending) private _requests;
    mapping(address account => Sender) private _senders;
    Limit private _limit;
    mapping(address sender => mapping(bytes32 routeHash => Ordered)) private _ordered;

    /// @inheritdoc IXvmSource
    function xvmExecute(uint256 targetChainId, address targetContract, bytes4 fnSelector, bytes calldata params)
        external
        payable
        returns (uint256 requestId)
    {
        Options memory options;
        return _ask(
            InteroperableAddress.formatEvmV1(targetChainId, targetContract),
            abi.encodePacked(fnSelector, params),
            options,
            Attempt(0, 0)
        );
    }

    /// @inheritdoc IXvmSource
    function xvmExecute(bytes calldata target, bytes calldata payload, Options calldata options)
        external
        payable
        returns (uint256 requestId)
    {
        return _ask(target, payload, options, Attempt(0, 0));
    }

    /// @inheritdoc IXvmSource
    function addFee(uint256 requestId) external payable {
        Pending storage pending = _requests[requestId];
        if (pending.who.stateOf() != State.PENDING) revert NotPending(requestId);
        if (msg.value == 0) revert InsufficientFee(1, 0);
        uint256 fees = pending.fees;
        uint256 execution = fees.executionOf();
        uint256 callback_ = fees.callbackOf();
        uint256 work = execution + callback_;
        uint256 toExecution = work == 0 ? 0 : msg.value * execution / work;
        fees = _packFees(
            execution + toExecution, callback_ + msg.value - toExecution, fees.signersOf(), fees.expiredBpsOf()
        );
        pending.fees = fees;
        emit XVMFeeAdded(requestId, msg.value, fees.totalOf());
    }

    /// @inheritdoc IXvmSource
    function deliver(DeliverBatch[] calldata batches) external {
        _requireDirectCaller();
        Control memory control = _control;
        _requireOpen(Direction.CALLBACKS, control.callbacksPausedUntil);
        Tally memory tally;
        for (uint256 i = 0; i < batches.length; ++i) {
            DeliverBatch calldata batch = batches[i];
            OutcomeItem[] calldata outcomes = batch.outcomes;
            (uint64 epoch, bytes32[] memory hashes) = _verifyOutcomes(control.verifier, batch, outcomes);
            uint32 epochTag = _epochTag(control.verifierNumber, epoch);
            if (epochTag != tally.epochTag) {
                _settleDeliverer(tally);
                tally.epochTag = epochTag;
            }
            for (uint256 j = 0; j < hashes.length; ++j) {
                _deliverOne(outcomes[j], hashes[j], tally);
            }
        }
        if (tally.payee == bytes32(uint256(uint160(msg.sender)))) tally.delivererAmount += tally.payeeAmount;
        else _creditPayee(tally.payee, tally.payeeAmount);
        _settleDeliverer(tally);
    }

    /// @inheritdoc IXvmSource
    function retryCallback(OutcomeItem calldata outcome, uint64 gasLimit) external {
        _requireDirectCaller();
        _requireOpen(Direction.CALLBACKS, _control.callbacksPausedUntil);
        uint256 requestId = outcome.requestId;
        Pending storage pending = _requests[requestId];
        uint256 who = pending.who;
        if (who.stateOf() != State.HANDLER_FAILED) revert NotHandlerFailed(requestId);
        (bytes32 outcomeHash, bytes32 returnDataHash) = StatementHash.outcome(outcome);
        // SECURITY: only the certified outcome may be told
        if (pending.fees != uint256(outcomeHash)) revert OtherOutcome(requestId);
        if (gasLimit < who.callbackGasOf()) revert CallbackGasTooLow(gasLimit, who.callbackGasOf());
        pending.who = 0;
        pending.fees = 0;
        bool success = _isSuccess(outcome);
        if (!_callback(requestId, who.requesterOf(), gasLimit, success, outcome.returnData)) {
            revert HandlerFailedAgain(requestId);
        }
        emit XVMCallbackDelivered(requestId, outcome.kind, success, returnDataHash, msg.sender);
    }

    /// @inheritdoc IXvmSource
    function cancel(Request calldata request) external {
        uint256 requestId = RequestHash.idOfCalldata(request, false);
        if (_requests[requestId].who.stateOf() != State.PENDING) revert NotPending(requestId);
        _cancel(requestId, request);
    }

    /// @inheritdoc IXvmSource
    function retry(Request calldata request, uint64 expiry, uint64 deadlineBlocks)
        external
        payable
        returns (uint256 requestId)
    {
        uint256 earlier = RequestHash.idOfCalldata(request, false);
        if (request.mode != Mode.CALL || request.orderedAfter != 0) revert NotRetriable(earlier);
        uint256 who = _requests[earlier].who;
        uint8 state = who.stateOf();
        if (state == State.PENDING) _cancel(earlier, request);
        else if (state != State.CANCELLED) revert NotPending(earlier);
        // SECURITY: the attempts of a request are its requester's
        else if (msg.sender != who.requesterOf()) revert NotRequester(msg.sender);
        Options memory options;
        options.ownAccount = request.ownAccount;
        options.executionGasLimit = request.executionGasLimit;
        options.callbackGasLimit = request.callbackGasLimit;
        options.returnLimit = request.returnLimit;
        options.expiry = expiry;
        options.codeHash = request.codeHash;
        options.disputeBlocks = request.disputeBlocks;
        options.deadlineBlocks = deadlineBlocks;
        options.metadata = request.metadata;
        return _ask(
            request.target,
            request.payload,
            options,
            Attempt(request.origin == 0 ? earlier : request.origin, keccak256(request.destinationGateway))
        );
    }

    /// @inheritdoc IXvmSource
    function reclaim(uint256 requestId) external {
        Pending storage pending = _requests[requestId];
        uint256 who = pending.who;
        if (who.stateOf() != State.CANCELLED) revert NotCancelled(requestId);
        uint256 from = who.deadlineOf() + RECLAIM_SECONDS;
        // SECURITY: until then whoever executed may show the outcome and be paid
        if (block.timestamp < from) revert TooEarlyToReclaim(from);
        uint256 amount = pending.fees.totalOf();
        pending.who = 0;
        pending.fees = 0;
        emit XVMReclaimed(requestId, amount);
        _credit(who.requesterOf(), amount);
    }

    /// @inheritdoc IXvmSource
    function setSenderLimit(uint32 windowBlocks, uint32 maxRequests) external onlyOwner {
        _limit = Limit(windowBlocks, maxRequests);
        emit XVMSenderLimitSet(windowBlocks, maxRequests);
    }

    /// @inheritdoc IXvmSource
    function senderLimit() external view returns (uint32 windowBlocks, uint32 maxRequests) {
        return (_limit.windowBlocks, _limit.maxRequests);
    }

    /// @inheritdoc IXvmSource
    function quote(bytes calldata target, uint256 payloadLength, Options calldata options)
        external
        view
        returns (uint256)
    {
        _requireSupported(options);
        return ROUTES.quote(target, payloadLength, options);
    }

    /// @inheritdoc IXvmSource
    function quote(uint256 targetChainId, uint256 payloadLength) external view returns (uint256) {
        Options memory options;
        // any address prices alike; zero is one
        return ROUTES.quote(InteroperableAddress.formatEvmV1(targetChainId, address(0)), payloadLength, options);
    }

    /// @inheritdoc IXvmSource
    function pendingRequest(uint256 requestId) external view returns (PendingRequest memory) {
        Pending memory pending = _requests[requestId];
        uint8 state = pending.who.stateOf();
        return PendingRequest({
            requester: pending.who.requesterOf(),
            isEoa: pending.who.isEoa(),
            callbackGasLimit: uint64(pending.who.callbackGasOf()),
            deadline: state == State.PENDING ? uint64(pending.who.deadlineOf() + _pausedBlocks(_control)) : 0,
            state: state,
            fee: state == State.HANDLER_FAILED ? 0 : pending.fees.totalOf()
        });
    }

    /// @inheritdoc IXvmSource
    function lastOrdered(address sender, bytes32 routeHash) external view returns (uint256 requestId, uint64 expiry) {
        Ordered memory last = _ordered[sender][routeHash];
        return (last.requestId, last.expiry);
    }

    /// @inheritdoc IXvmSource
    function nonces(address sender) external view returns (uint64) {
        return _senders[sender].nonce;
    }

    /// @dev Makes a request for the caller.
    function _ask(bytes memory target, bytes memory payload, Options memory options, Attempt memory attempt)
        private
        returns (uint256 requestId)
    {
        _requireOpen(Direction.REQUESTS, _pauses.requestsUntil);
        _requireSupported(options);
        IXvmRoutes.Plan memory planned = ROUTES.plan(target, payload.length, options);
        // SECURITY: another gateway knows nothing of the earlier attempt and would run the call a second time
        if (attempt.origin != 0 && keccak256(planned.destinationGateway) != attempt.destinationGatewayHash) {
            revert RouteMoved();
        }
        bytes memory self = _accountAddress(address(this));
        bytes32 routeHash = keccak256(bytes.concat(self, planned.destination));

        Request memory request;
        request.sourceGateway = self;
        request.sender = _accountAddress(msg.sender);
        request.destinationGateway = planned.destinationGateway;
        request.target = target;
        request.nonce = _takeNonce();
        request.mode = options.mode;
        request.ownAccount = options.ownAccount;
        request.payload = payload;
        request.executionGasLimit = planned.executionGasLimit;
        request.callbackGasLimit = planned.callbackGasLimit;
        request.returnLimit = planned.returnLimit;
        request.expiry = planned.expiry;
        request.origin = attempt.origin;
        request.codeHash = options.codeHash;
        request.metadata = options.metadata;
        if (options.ordered) _order(request, routeHash, options.expiry == 0);
        requestId = RequestHash.id(request);
        if (options.ordered) _ordered[msg.sender][routeHash] = Ordered(requestId, request.expiry);

        uint256 fees =
            _packFees(planned.executionShare, planned.callbackShare, planned.signersShare, planned.expiredBps);
        uint256 fee = fees.totalOf();
        if (msg.value < fee) revert InsufficientFee(fee, msg.value);
        uint256 deadline = block.number + planned.deadlineBlocks;
        _requests[requestId] = Pending({
            who: PendingWords.packWho(
                msg.sender,
                planned.callbackGasLimit,
                // kept on the callbacks' clock, which lags behind the height by the blocks they were paused for
                deadline - _pausedBlocks(_control),
                State.PENDING,
                // forge-lint: disable-next-line(tx-origin)
                msg.sender == tx.origin
            ),
            fees: fees
        });
        emit XVMCallRequested(requestId, msg.sender, routeHash, request, fee, uint64(deadline));

        _giveBack(msg.sender, msg.value - fee);
    }

    /// @dev The nonce of the caller's next request, which counts in its window.
    function _takeNonce() private returns (uint64 nonce) {
        Sender memory sender = _senders[msg.sender];
        Limit memory limit = _limit;
        if (limit.windowBlocks != 0 && limit.maxRequests != 0) {
            uint64 window = uint64(block.number / limit.windowBlocks);
            if (window != sender.window) {
                sender.window = window;
                sender.windowCount = 0;
            }
            // SECURITY: signers must look at all that is asked, or one sender could keep them from everybody else's
            if (sender.windowCount >= limit.maxRequests) {
                revert SenderLimit((uint256(window) + 1) * limit.windowBlocks);
            }
            ++sender.windowCount;
        }
        nonce = sender.nonce++;
        _senders[msg.sender] = sender;
    }

    /// @dev Gives a pending request up.
    function _cancel(uint256 requestId, Request calldata request) private {
        Pending storage pending = _requests[requestId];
        uint256 who = pending.who;
        uint256 fees = pending.fees;
        _requireCancellable(who, request);
        pending.who = who.cancelledAt(block.timestamp);
        pending.fees = fees.withoutCallback();
        emit XVMCancelled(requestId, fees.callbackOf());
        _giveBack(msg.sender, fees.callbackOf());
    }

    /// @dev Whether the caller may give a pending request up.
    function _requireCancellable(uint256 who, Request calldata request) private view {
        // SECURITY: a request belongs to who asked
        if (msg.sender != who.requesterOf()) revert NotRequester(msg.sender);
        uint256 deadline = who.deadlineOf() + _pausedBlocks(_control);
        // SECURITY: a deliverer may count on its callback share until here
        if (block.number <= deadline) revert DeadlineNotOver(deadline);
        uint256 until = request.expiry + CLOCK_SKEW_SECONDS;
        // SECURITY: or it could be cancelled while it may still be executed
        if (request.mode == Mode.CALL && block.timestamp <= until) revert ExpiryNotOver(until);
    }

    /// @dev Puts a request behind its sender's last ordered one on the route. SECURITY: it must not expire first, or it could run
    /// although that one still might.
    function _order(Request memory request, bytes32 routeHash, bool isDefaultExpiry) private view {
        Ordered memory last = _ordered[msg.sender][routeHash];
        request.orderedAfter = last.requestId == 0 ? FIRST_ORDERED : last.requestId;
        if (request.expiry >= last.expiry) return;
        if (!isDefaultExpiry) revert ExpiryBeforePredecessor(request.expiry, last.expiry);
        request.expiry = last.expiry;
    }

    /// @dev Concludes one certified outcome. `tally` collects who is owed what.
    function _deliverOne(OutcomeItem calldata outcome, bytes32 returnDataHash, Tally memory tally) private {
        uint256 requestId = outcome.requestId;
        Pending storage pending = _requests[requestId];
        uint256 who = pending.who;
        uint8 state = who.stateOf();
        if (state != State.PENDING && state != State.CANCELLED) {
            emit XVMOutcomeSkipped(requestId);
            return;
        }
        uint256 fees = pending.fees;
        // SECURITY: cleared before the call, which is all that keeps a delivery from happening twice
        pending.who = 0;
        pending.fees = 0;

        uint8 kind = outcome.kind;
        uint256 execution = fees.executionOf();
        if (kind == Kind.EXPIRED || kind == Kind.DUPLICATE) {
            uint256 kept = execution * fees.expiredBpsOf() / 10_000;
            _credit(who.requesterOf(), execution - kept);
            execution = kept;
        }
        if (outcome.payee != tally.payee) {
            _creditPayee(tally.payee, tally.payeeAmount);
            tally.payee = outcome.payee;
            tally.payeeAmount = 0;
        }
        // shares have 80 bits: no number of them that fits a transaction overflows
        unchecked {
            tally.payeeAmount += execution;
            tally.delivererAmount += fees.callbackOf();
            tally.signersAmount += fees.signersOf();
        }

        // SECURITY: who cancelled acts as if nothing were to come
        if (state == State.CANCELLED) {
            emit XVMCancelledConcluded(requestId, kind, msg.sender);
            return;
        }
        bool success = _isSuccess(outcome);
        if (who.isEoa() || _callback(requestId, who.requesterOf(), who.callbackGasOf(), success, outcome.returnData)) {
            emit XVMCallbackDelivered(requestId, kind, success, returnDataHash, msg.sender);
        } else {
            (bytes32 outcomeHash,) = StatementHash.outcome(outcome);
            pending.who = who.withState(State.HANDLER_FAILED);
            pending.fees = uint256(outcomeHash);
            emit XVMHandlerFailed(requestId, kind, success, outcomeHash, msg.sender);
        }
    }

    /// @dev Writes what the deliverer and the signers of its epoch have earned so far.
    function _settleDeliverer(Tally memory tally) private {
        if (tally.delivererAmount + tally.signersAmount == 0) return;
        _creditDeliverer(msg.sender, tally.delivererAmount, tally.epochTag, tally.signersAmount);
        tally.delivererAmount = 0;
        tally.signersAmount = 0;
    }

    /// @dev Runs a handler with exactly `gasLimit` gas, or reverts the transaction; copies nothing of its answer.
    function _callback(uint256 requestId, address handler, uint256 gasLimit, bool success, bytes calldata returnData)
        private
        returns (bool ran)
    {
        bytes4 selector = IXvmCallback.xvmCallback.selector;
        uint256 data;
        uint256 length;
        assembly ("memory-safe") {
            data := mload(0x40)
            mstore(data, selector)
            mstore(add(data, 4), requestId)
            mstore(add(data, 36), success)
            mstore(add(data, 68), 96)
            mstore(add(data, 100), returnData.length)
            mstore(add(add(data, 132), returnData.length), 0)
            calldatacopy(add(data, 132), returnData.offset, returnData.length)
            length := add(132, and(add(returnData.length, 31), not(31)))
        }
        // SECURITY: or a deliverer could starve the handler and have the failure recorded
        if (!BoundedCall.affords(gasLimit)) revert InsufficientCallbackGas(requestId);
        assembly ("memory-safe") {
            ran := call(gasLimit, handler, 0, data, length, 0, 0)
        }
    }

    /// @dev Builds a batch's root and has it verified.
    /// @return epoch The signing epoch.
    /// @return hashes For each outcome the hash of its return data.
    function _verifyOutcomes(IXvmVerifier verifier_, DeliverBatch calldata batch, OutcomeItem[] calldata outcomes)
        private
        view
        returns (uint64 epoch, bytes32[] memory hashes)
    {
        uint256 given = batch.given;
        bytes32[] calldata bare = batch.bare;
        uint256 n = Batches.leafCount(given, outcomes.length, bare.length);
        hashes = new bytes32[](outcomes.length);
        uint256 tree = Merkle.reserve(n);
        uint256 next = 0;
        for (uint256 i = 0; i < n; ++i) {
            bytes32 leaf;
            if ((given >> i) & 1 == 1) {
                (bytes32 outcomeHash, bytes32 returnDataHash) = StatementHash.outcome(outcomes[next]);
                hashes[next++] = returnDataHash;
                leaf = StatementHash.leaf(outcomeHash);
            } else {
                leaf = bare[i - next];
            }
            Merkle.set(tree, n, i, leaf);
        }
        epoch = verifier_.verify(Merkle.root(tree, n), uint32(n), batch.certificate);
    }

    function _isSuccess(OutcomeItem calldata outcome) private pure returns (bool) {
        if (outcome.kind != Kind.DUPLICATE) return outcome.kind == Kind.EXECUTED;
        // a duplicate's data is the earlier attempt's slot word: kind ‖ low 248 bits of its id
        return outcome.returnData.length == 32 && outcome.returnData[0] == bytes1(Kind.EXECUTED);
    }

    function _packFees(uint256 execution, uint256 callback_, uint256 signers, uint256 bps)
        private
        pure
        returns (uint256)
    {
        uint256 highest = execution > callback_ ? execution : callback_;
        if (signers > highest) highest = signers;
        if (highest > PendingWords.MAX_SHARE) revert FeeTooHigh(highest);
        return PendingWords.packFees(execution, callback_, signers, bps);
    }

    /// @dev SECURITY: an option that this version does not keep must not be taken.
    function _requireSupported(Options memory options) private pure {
        if (options.disputeBlocks != 0) revert DisputesUnsupported();
    }
}
