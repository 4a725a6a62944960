// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {Create2} from "@openzeppelin/contracts/utils/Create2.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IXvmCallback} from "../interfaces/IXvmCallback.sol";
import {IXvmDestination} from "../interfaces/IXvmDestination.sol";
import {IXvmGateway} from "../interfaces/IXvmGateway.sol";
import {IXvmRoutes} from "../interfaces/IXvmRoutes.sol";
import {IXvmSource} from "../interfaces/IXvmSource.sol";
import {Kind, Mode, Options, PendingRequest, Request, State} from "../interfaces/XvmTypes.sol";
import {BoundedCall} from "../libraries/BoundedCall.sol";
import {PendingWords} from "../libraries/PendingWords.sol";
import {RequestHash} from "../libraries/RequestHash.sol";
import {StatementHash} from "../libraries/StatementHash.sol";
import {IXvmMockGateway} from "./IXvmMockGateway.sol";
import {XvmMockCaller} from "./XvmMockCaller.sol";
import {XvmMockRoutes} from "./XvmMockRoutes.sol";

/// @title A gateway and its relayers, for tests
/// @notice To contracts it is a gateway: the same functions, ids, events, errors, gas for callbacks and rules for cancelling
/// (`IXvmGateway(address(mock))`). To a test it is the relayers and the other chain as well: see `IXvmMockGateway`. Never
/// deploy it where something is at stake: anyone may say what a call returned.
/// @dev Without cheatcodes, so that it serves Foundry, Hardhat and devnets. Unlike a real gateway it takes every chain as a
/// destination, lives on both sides at once (so `executor`, `currentRequest` and `consumed` are its own), reads queries now
/// and from an address that is not zero, pays the deliverer all shares, reverts where a real one skips, and knows no pauses.
contract XvmMockGateway is IXvmMockGateway, XvmMockRoutes {
    using PendingWords for uint256;

    /// @dev As the real one's.
    uint256 private constant CLOCK_SKEW_SECONDS = 5 minutes;
    uint256 private constant RECLAIM_SECONDS = 7 days;
    uint256 private constant FIRST_ORDERED = 1;
    uint256 private constant ID_MASK = type(uint248).max;

    struct Pending {
        uint256 who;
        uint256 fees;
        uint256 delayedUntil;
    }

    struct Outcome {
        bool known;
        uint8 kind;
        bool cut;
        bytes returnData;
    }

    struct Ordered {
        uint256 requestId;
        uint64 expiry;
    }

    XvmMockCaller internal immutable EXECUTOR = new XvmMockCaller();
    XvmMockCaller private immutable READER = new XvmMockCaller();

    /// @notice The nonce of a sender's next request.
    mapping(address sender => uint64) public nonces;

    /// @notice Wei that an account may withdraw.
    mapping(address account => uint256) public credits;

    /// @notice As `IXvmDestination.consumed`.
    mapping(uint256 requestId => bytes32 slotWord) public consumed;

    /// @notice As `IXvmSource.lastOrdered`.
    mapping(address sender => mapping(bytes32 routeHash => Ordered)) public lastOrdered;

    uint256[] private _ids;
    uint256 private _current;
    mapping(uint256 requestId => Request) private _requests;
    mapping(uint256 requestId => Pending) internal _pending;
    mapping(uint256 requestId => Outcome) private _outcomes;

    // ---- as contracts see a gateway

    /// @notice As `IXvmSource.xvmExecute`, simple form.
    function xvmExecute(uint256 targetChainId, address targetContract, bytes4 fnSelector, bytes calldata params)
        external
        payable
        returns (uint256)
    {
        Options memory options;
        return _ask(
            InteroperableAddress.formatEvmV1(targetChainId, targetContract),
            abi.encodePacked(fnSelector, params),
            options,
            0
        );
    }

    /// @notice As `IXvmSource.xvmExecute`, full form.
    function xvmExecute(bytes calldata target, bytes calldata payload, Options calldata options)
        external
        payable
        returns (uint256)
    {
        return _ask(target, payload, options, 0);
    }

    /// @notice As `IXvmSource.addFee`.
    function addFee(uint256 requestId) external payable {
        Pending storage pending = _pending[requestId];
        if (pending.who.stateOf() != State.PENDING) revert IXvmSource.NotPending(requestId);
        if (msg.value == 0) revert IXvmSource.InsufficientFee(1, 0);
        uint256 fees = pending.fees;
        uint256 work = fees.executionOf() + fees.callbackOf();
        uint256 toExecution = work == 0 ? 0 : msg.value * fees.executionOf() / work;
        pending.fees = PendingWords.packFees(
            fees.executionOf() + toExecution,
            fees.callbackOf() + msg.value - toExecution,
            fees.signersOf(),
            fees.expiredBpsOf()
        );
        emit IXvmSource.XVMFeeAdded(requestId, msg.value, pending.fees.totalOf());
    }

    /// @notice As `IXvmSource.cancel`.
    function cancel(Request calldata request) external {
        uint256 requestId = RequestHash.idOfCalldata(request, false);
        if (_pending[requestId].who.stateOf() != State.PENDING) revert IXvmSource.NotPending(requestId);
        _cancel(requestId);
    }

    /// @notice As `IXvmSource.retry`.
    function retry(Request calldata request, uint64 expiry, uint64 deadlineBlocks) external payable returns (uint256) {
        uint256 earlier = RequestHash.idOfCalldata(request, false);
        if (request.mode != Mode.CALL || request.orderedAfter != 0) revert IXvmSource.NotRetriable(earlier);
        uint256 who = _pending[earlier].who;
        if (who.stateOf() == State.PENDING) _cancel(earlier);
        else if (who.stateOf() != State.CANCELLED) revert IXvmSource.NotPending(earlier);
        else if (msg.sender != who.requesterOf()) revert IXvmSource.NotRequester(msg.sender);
        Options memory options;
        options.ownAccount = request.ownAccount;
        options.executionGasLimit = request.executionGasLimit;
        options.callbackGasLimit = request.callbackGasLimit;
        options.returnLimit = request.returnLimit;
        options.expiry = expiry;
        options.codeHash = request.codeHash;
        options.deadlineBlocks = deadlineBlocks;
        options.metadata = request.metadata;
        return _ask(request.target, request.payload, options, request.origin == 0 ? earlier : request.origin);
    }

    /// @notice As `IXvmSource.reclaim`.
    function reclaim(uint256 requestId) external {
        Pending storage pending = _pending[requestId];
        uint256 who = pending.who;
        if (who.stateOf() != State.CANCELLED) revert IXvmSource.NotCancelled(requestId);
        uint256 from = who.deadlineOf() + RECLAIM_SECONDS;
        if (block.timestamp < from) revert IXvmSource.TooEarlyToReclaim(from);
        uint256 amount = pending.fees.totalOf();
        delete _pending[requestId];
        emit IXvmSource.XVMReclaimed(requestId, amount);
        credits[who.requesterOf()] += amount;
    }

    /// @notice As `IXvmGateway.withdraw`.
    function withdraw(address to) external returns (uint256 amount) {
        amount = credits[msg.sender];
        if (amount == 0) revert IXvmGateway.NoCredit(msg.sender);
        credits[msg.sender] = 0;
        emit IXvmGateway.XVMWithdrawn(msg.sender, to, amount);
        if (!_pay(to, amount)) revert IXvmGateway.WithdrawalRefused(to);
    }

    /// @notice As `IXvmSource.quote`.
    function quote(bytes calldata target, uint256 payloadLength, Options calldata options)
        external
        view
        returns (uint256)
    {
        return _fees(_plan(target, payloadLength, options)).totalOf();
    }

    /// @notice As `IXvmSource.quote`, simple form.
    function quote(uint256 targetChainId, uint256 payloadLength) external view returns (uint256) {
        Options memory options;
        bytes memory target = InteroperableAddress.formatEvmV1(targetChainId, address(0));
        return _fees(_plan(target, payloadLength, options)).totalOf();
    }

    /// @notice As `IXvmSource.pendingRequest`.
    function pendingRequest(uint256 requestId) external view returns (PendingRequest memory) {
        Pending memory pending = _pending[requestId];
        uint8 state = pending.who.stateOf();
        return PendingRequest({
            requester: pending.who.requesterOf(),
            isEoa: pending.who.isEoa(),
            callbackGasLimit: uint64(pending.who.callbackGasOf()),
            deadline: state == State.PENDING ? uint64(pending.who.deadlineOf()) : 0,
            state: state,
            fee: state == State.HANDLER_FAILED ? 0 : pending.fees.totalOf()
        });
    }

    /// @notice As `IXvmDestination.currentRequest`.
    function currentRequest() external view returns (uint256 requestId, bytes memory sender) {
        return (_current, _requests[_current].sender);
    }

    /// @notice As `IXvmDestination.executor`.
    function executor() external view returns (address) {
        return address(EXECUTOR);
    }

    /// @notice As `IXvmDestination.accounts`: this contract.
    function accounts() external view returns (address) {
        return address(this);
    }

    /// @notice A sender's own account, whether it was created yet or not.
    function accountOf(bytes memory sender) public view returns (address) {
        return Create2.computeAddress(keccak256(sender), keccak256(type(XvmMockCaller).creationCode));
    }

    /// @notice As `IXvmGateway.gatewayAddress`.
    function gatewayAddress() external view returns (bytes memory) {
        return _accountAddress(address(this));
    }

    // ---- as tests see relayers

    /// @inheritdoc IXvmMockGateway
    function deliver(uint256 requestId) public {
        _requireDue(requestId);
        if (!_outcomes[requestId].known) _perform(requestId);
        _tell(requestId);
    }

    /// @inheritdoc IXvmMockGateway
    function deliverInOrder(uint256[] calldata ids) external {
        for (uint256 i = 0; i < ids.length; ++i) {
            deliver(ids[i]);
        }
    }

    /// @inheritdoc IXvmMockGateway
    function deliverPending() external {
        // what callbacks ask for meanwhile waits for the next time
        uint256 count = _ids.length;
        for (uint256 i = 0; i < count; ++i) {
            Pending storage pending = _pending[_ids[i]];
            if (pending.who.stateOf() == State.PENDING && block.number >= pending.delayedUntil) deliver(_ids[i]);
        }
    }

    /// @inheritdoc IXvmMockGateway
    function execute(uint256 requestId) external {
        _requireDue(requestId);
        if (_outcomes[requestId].known) revert Concluded(requestId);
        if (_requests[requestId].mode != Mode.CALL) revert WrongMode();
        _perform(requestId);
    }

    /// @inheritdoc IXvmMockGateway
    function deliverWith(uint256 requestId, bool success, bytes calldata returnData) external {
        _deliverAs(requestId, success ? Kind.EXECUTED : Kind.REVERTED, returnData);
    }

    /// @inheritdoc IXvmMockGateway
    function revertWith(uint256 requestId, bytes calldata reason) external {
        _deliverAs(requestId, Kind.REVERTED, reason);
    }

    /// @inheritdoc IXvmMockGateway
    function expire(uint256 requestId) external {
        if (_requests[requestId].mode != Mode.CALL) revert WrongMode();
        _deliverAs(requestId, Kind.EXPIRED, "");
    }

    /// @inheritdoc IXvmMockGateway
    function unreach(uint256 requestId) external {
        _deliverAs(requestId, Kind.UNREACHED, "");
    }

    /// @inheritdoc IXvmMockGateway
    function delay(uint256 requestId, uint256 blocks_) external {
        _requireDue(requestId);
        _pending[requestId].delayedUntil = block.number + blocks_;
    }

    /// @inheritdoc IXvmMockGateway
    function retryCallback(uint256 requestId, uint64 gasLimit) external {
        uint256 who = _pending[requestId].who;
        if (who.stateOf() != State.HANDLER_FAILED) revert IXvmSource.NotHandlerFailed(requestId);
        if (gasLimit < who.callbackGasOf()) revert IXvmSource.CallbackGasTooLow(gasLimit, who.callbackGasOf());
        delete _pending[requestId];
        Outcome memory outcome = _outcomes[requestId];
        bool success = _isSuccess(outcome);
        if (!_callback(requestId, who.requesterOf(), gasLimit, success, outcome.returnData)) {
            revert IXvmSource.HandlerFailedAgain(requestId);
        }
        emit IXvmSource.XVMCallbackDelivered(
            requestId, outcome.kind, success, keccak256(outcome.returnData), msg.sender
        );
    }

    /// @inheritdoc IXvmMockGateway
    function setPrice(uint80 executionShare, uint80 callbackShare, uint80 signersShare) external {
        _setPrice(executionShare, callbackShare, signersShare);
    }

    /// @inheritdoc IXvmMockGateway
    function lastRequestId() external view returns (uint256) {
        return _ids[_ids.length - 1];
    }

    /// @inheritdoc IXvmMockGateway
    function requestIds() external view returns (uint256[] memory) {
        return _ids;
    }

    /// @inheritdoc IXvmMockGateway
    function requestOf(uint256 requestId) external view returns (Request memory) {
        return _requests[requestId];
    }

    // ---- source side

    /// @dev Makes a request for the caller.
    function _ask(bytes memory target, bytes memory payload, Options memory options, uint256 origin)
        internal
        virtual
        returns (uint256 requestId)
    {
        if (options.disputeBlocks != 0) revert NotPlayed("disputeBlocks");
        IXvmRoutes.Plan memory planned = _plan(target, payload.length, options);
        Request memory request;
        request.sourceGateway = _accountAddress(address(this));
        request.sender = _accountAddress(msg.sender);
        request.destinationGateway = planned.destinationGateway;
        request.target = target;
        request.nonce = nonces[msg.sender]++;
        request.mode = options.mode;
        request.ownAccount = options.ownAccount;
        request.payload = payload;
        request.executionGasLimit = planned.executionGasLimit;
        request.callbackGasLimit = planned.callbackGasLimit;
        request.returnLimit = planned.returnLimit;
        request.expiry = planned.expiry;
        request.origin = origin;
        request.codeHash = options.codeHash;
        request.metadata = options.metadata;
        bytes32 routeHash = keccak256(bytes.concat(request.sourceGateway, planned.destination));
        if (options.ordered) _order(request, lastOrdered[msg.sender][routeHash], options.expiry == 0);
        requestId = RequestHash.id(request);
        if (options.ordered) lastOrdered[msg.sender][routeHash] = Ordered(requestId, request.expiry);

        uint256 fees = _fees(planned);
        if (msg.value < fees.totalOf()) revert IXvmSource.InsufficientFee(fees.totalOf(), msg.value);
        uint256 deadline = block.number + planned.deadlineBlocks;
        _requests[requestId] = request;
        _ids.push(requestId);
        _pending[requestId].fees = fees;
        _pending[requestId].who = PendingWords.packWho(
            // forge-lint: disable-next-line(tx-origin)
            msg.sender,
            planned.callbackGasLimit,
            deadline,
            State.PENDING,
            msg.sender == tx.origin
        );
        emit IXvmSource.XVMCallRequested(requestId, msg.sender, routeHash, request, fees.totalOf(), uint64(deadline));
        _giveBack(msg.sender, msg.value - fees.totalOf());
    }

    /// @dev Concludes a request on its source side, as its outcome has it.
    function _tell(uint256 requestId) private {
        Pending storage pending = _pending[requestId];
        (uint256 who, uint256 fees) = (pending.who, pending.fees);
        delete _pending[requestId];
        Outcome memory outcome = _outcomes[requestId];
        uint256 back = 0;
        if (outcome.kind == Kind.EXPIRED || outcome.kind == Kind.DUPLICATE) {
            back = fees.executionOf() - fees.executionOf() * fees.expiredBpsOf() / 10_000;
            credits[who.requesterOf()] += back;
        }
        credits[msg.sender] += fees.totalOf() - back;
        if (who.stateOf() == State.CANCELLED) {
            emit IXvmSource.XVMCancelledConcluded(requestId, outcome.kind, msg.sender);
            return;
        }
        bool success = _isSuccess(outcome);
        if (who.isEoa() || _callback(requestId, who.requesterOf(), who.callbackGasOf(), success, outcome.returnData)) {
            emit IXvmSource.XVMCallbackDelivered(
                requestId, outcome.kind, success, keccak256(outcome.returnData), msg.sender
            );
        } else {
            pending.who = who.withState(State.HANDLER_FAILED);
            emit IXvmSource.XVMHandlerFailed(
                requestId, outcome.kind, success, _outcomeHash(requestId, outcome), msg.sender
            );
        }
    }

    /// @dev Runs a handler with exactly `gasLimit` gas, or reverts; copies nothing of its answer.
    function _callback(uint256 requestId, address handler, uint256 gasLimit, bool success, bytes memory returnData)
        internal
        returns (bool ran)
    {
        bytes memory data = abi.encodeCall(IXvmCallback.xvmCallback, (requestId, success, returnData));
        if (!BoundedCall.affords(gasLimit)) revert IXvmSource.InsufficientCallbackGas(requestId);
        assembly ("memory-safe") {
            ran := call(gasLimit, handler, 0, add(data, 32), mload(data), 0, 0)
        }
    }

    function _cancel(uint256 requestId) private {
        Pending storage pending = _pending[requestId];
        (uint256 who, uint256 fees) = (pending.who, pending.fees);
        if (msg.sender != who.requesterOf()) revert IXvmSource.NotRequester(msg.sender);
        if (block.number <= who.deadlineOf()) revert IXvmSource.DeadlineNotOver(who.deadlineOf());
        uint256 until = _requests[requestId].expiry + CLOCK_SKEW_SECONDS;
        if (_requests[requestId].mode == Mode.CALL && block.timestamp <= until) {
            revert IXvmSource.ExpiryNotOver(until);
        }
        pending.who = who.cancelledAt(block.timestamp);
        pending.fees = fees.withoutCallback();
        emit IXvmSource.XVMCancelled(requestId, fees.callbackOf());
        _giveBack(msg.sender, fees.callbackOf());
    }

    function _giveBack(address to, uint256 amount) private {
        if (amount != 0 && !_pay(to, amount)) credits[to] += amount;
    }

    function _pay(address to, uint256 amount) private returns (bool paid) {
        assembly ("memory-safe") {
            paid := call(gas(), to, amount, 0, 0, 0, 0)
        }
    }

    // ---- destination side

    /// @dev Performs what a request asks for, on this chain.
    function _perform(uint256 requestId) private {
        Request memory request = _requests[requestId];
        if (request.target[2] != 0 || request.target[3] != 0) revert NotAnEvmTarget(request.target);
        (, address target) = InteroperableAddress.parseEvmV1(request.target);
        if (request.mode == Mode.QUERY) {
            if (target.code.length == 0) _conclude(requestId, Kind.UNREACHED, false, "");
            else _read(requestId, target, request);
            return;
        }
        if (block.timestamp > request.expiry) return _conclude(requestId, Kind.EXPIRED, false, "");
        bytes32 earlier = request.origin == 0 ? bytes32(0) : consumed[request.origin];
        if (earlier != 0 && uint8(earlier[0]) != Kind.EXPIRED) {
            return _conclude(requestId, Kind.DUPLICATE, false, bytes.concat(earlier));
        }
        if (request.orderedAfter > FIRST_ORDERED && consumed[request.orderedAfter] == 0) {
            revert IXvmDestination.PredecessorOpen();
        }
        bool own = target == address(this) || target == address(EXECUTOR) || target == address(READER);
        if (own || target.code.length == 0 || (request.codeHash != 0 && target.codehash != request.codeHash)) {
            return _conclude(requestId, Kind.UNREACHED, false, "");
        }
        _consume(requestId, request.origin, Kind.EXECUTED);
        _current = requestId;
        (bool success, bool cut, bytes memory returnData) =
            _callerFor(request).run(target, request.executionGasLimit, request.returnLimit, request.payload);
        _current = 0;
        _conclude(requestId, success ? Kind.EXECUTED : Kind.REVERTED, cut, returnData);
    }

    /// @dev Reads a target, for a query.
    function _read(uint256 requestId, address target, Request memory request) private {
        try READER.read(target, request.executionGasLimit, request.returnLimit, request.payload) {}
        catch (bytes memory told) {
            if (bytes4(told) != XvmMockCaller.Told.selector) {
                assembly ("memory-safe") {
                    revert(add(told, 32), mload(told))
                }
            }
            bytes memory values = new bytes(told.length - 4);
            assembly ("memory-safe") {
                mcopy(add(values, 32), add(told, 36), mload(values))
            }
            (bool success, bool cut, bytes memory returnData) = abi.decode(values, (bool, bool, bytes));
            _conclude(requestId, success ? Kind.EXECUTED : Kind.REVERTED, cut, returnData);
        }
    }

    /// @dev Who calls the target of a request: the executor, or the sender's own account.
    function _callerFor(Request memory request) private returns (XvmMockCaller) {
        if (!request.ownAccount) return EXECUTOR;
        address account = accountOf(request.sender);
        return account.code.length == 0 ? new XvmMockCaller{salt: keccak256(request.sender)}() : XvmMockCaller(account);
    }

    /// @dev Records what became of a request, with a receipt if it is a call.
    function _conclude(uint256 requestId, uint8 kind, bool cut, bytes memory returnData) private {
        _outcomes[requestId] = Outcome({known: true, kind: kind, cut: cut, returnData: returnData});
        Request storage request = _requests[requestId];
        if (request.mode != Mode.CALL) return;
        _consume(requestId, request.origin, kind);
        emit IXvmDestination.XVMCallConcluded(
            requestId,
            keccak256(request.sourceGateway),
            request.sourceGateway,
            kind,
            cut,
            returnData,
            bytes32(uint256(uint160(msg.sender)))
        );
    }

    function _consume(uint256 requestId, uint256 origin, uint8 kind) private {
        bool isOwnSlot = origin == 0 || kind == Kind.EXPIRED || kind == Kind.DUPLICATE;
        consumed[isOwnSlot ? requestId : origin] = bytes32((uint256(kind) << 248) | (requestId & ID_MASK));
    }

    /// @dev Concludes a request as the test says, and calls back.
    function _deliverAs(uint256 requestId, uint8 kind, bytes memory returnData) private {
        _requireDue(requestId);
        if (_outcomes[requestId].known) revert Concluded(requestId);
        uint256 limit = _requests[requestId].returnLimit;
        bool cut = returnData.length > limit;
        if (cut) {
            assembly ("memory-safe") {
                mstore(returnData, limit)
            }
        }
        _conclude(requestId, kind, cut, returnData);
        _tell(requestId);
    }

    // ---- both

    function _order(Request memory request, Ordered memory last, bool isDefaultExpiry) private pure {
        request.orderedAfter = last.requestId == 0 ? FIRST_ORDERED : last.requestId;
        if (request.expiry >= last.expiry) return;
        if (!isDefaultExpiry) revert IXvmSource.ExpiryBeforePredecessor(request.expiry, last.expiry);
        request.expiry = last.expiry;
    }

    /// @dev Whether a request's outcome may be told: it is pending or cancelled, and not delayed.
    function _requireDue(uint256 requestId) private view {
        if (_current != 0) revert NotPlayed("relayers that a target calls");
        Pending storage pending = _pending[requestId];
        uint8 state = pending.who.stateOf();
        if (state != State.PENDING && state != State.CANCELLED) revert IXvmSource.NotPending(requestId);
        if (block.number < pending.delayedUntil) revert Delayed(requestId, pending.delayedUntil);
    }

    function _accountAddress(address account) private view returns (bytes memory) {
        return InteroperableAddress.formatEvmV1(block.chainid, account);
    }

    function _outcomeHash(uint256 requestId, Outcome memory outcome) private view returns (bytes32) {
        // as a certified outcome's whose location is all zeros
        return keccak256(
            abi.encode(
                StatementHash.OUTCOME_TYPEHASH,
                requestId,
                outcome.kind,
                outcome.cut,
                keccak256(outcome.returnData),
                0,
                0,
                0,
                0,
                msg.sender,
                0
            )
        );
    }

    function _isSuccess(Outcome memory outcome) private pure returns (bool) {
        if (outcome.kind != Kind.DUPLICATE) return outcome.kind == Kind.EXECUTED;
        return outcome.returnData[0] == bytes1(Kind.EXECUTED);
    }

    function _fees(IXvmRoutes.Plan memory planned) private pure returns (uint256) {
        return
            PendingWords.packFees(
                planned.executionShare, planned.callbackShare, planned.signersShare, planned.expiredBps
            );
    }
}
