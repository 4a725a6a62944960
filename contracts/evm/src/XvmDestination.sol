// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmAccounts} from "./interfaces/IXvmAccounts.sol";
import {IXvmDestination} from "./interfaces/IXvmDestination.sol";
import {IXvmExecutor} from "./interfaces/IXvmExecutor.sol";
import {IXvmRoutes} from "./interfaces/IXvmRoutes.sol";
import {IXvmVerifier} from "./interfaces/IXvmVerifier.sol";
import {Direction, ExecuteBatch, ExpireBatch, Kind, Mode, Request, RequestByHash} from "./interfaces/XvmTypes.sol";
import {Batches} from "./libraries/Batches.sol";
import {CurrentRequest} from "./libraries/CurrentRequest.sol";
import {Merkle} from "./libraries/Merkle.sol";
import {RequestHash} from "./libraries/RequestHash.sol";
import {StatementHash} from "./libraries/StatementHash.sol";
import {XvmAccounts} from "./XvmAccounts.sol";
import {XvmControl} from "./XvmControl.sol";
import {XvmExecutor} from "./XvmExecutor.sol";

/// @title Destination side
/// @notice See `IXvmDestination`. SECURITY: it never calls a target itself, or a request could forge a callback.
abstract contract XvmDestination is XvmControl {
    /// @dev What holds for a whole `execute` or `expire`.
    struct Run {
        IXvmVerifier verifier;
        bytes32 payee;
        bool expiring;
        /// Hash of this gateway's own address.
        bytes32 self;
        /// The first bytes of every account of this chain: version ‖ type ‖ reference, and the length byte 20.
        bytes32 chainPrefix;
        uint256 chainPrefixLength;
        /// The source gateway that was looked up last, and what was found.
        bytes32 sourceGateway;
        IXvmRoutes.Inbound inbound;
    }

    /// @dev What a request came to.
    struct Conclusion {
        uint8 kind;
        bool cut;
        bytes returnData;
    }

    /// @dev `orderedAfter` of the first ordered request of a sender on a route.
    uint256 private constant FIRST_ORDERED = 1;

    uint256 private constant ID_MASK = type(uint248).max;

    IXvmExecutor internal immutable EXECUTOR;
    IXvmAccounts internal immutable ACCOUNTS;

    mapping(uint256 requestId => bytes32) private _slots;
    mapping(uint256 requestId => bool) private _lapsed;

    constructor() {
        EXECUTOR = new XvmExecutor();
        ACCOUNTS = new XvmAccounts();
    }

    /// @inheritdoc IXvmDestination
    function execute(ExecuteBatch[] calldata batches, bytes32 payee) external {
        _requireDirectCaller();
        _requireOpen(Direction.EXECUTIONS, _pauses.executionsUntil);
        _run(batches, payee, false);
        // Here and not in `_run`: a target may call `expire`, and is still running then.
        CurrentRequest.clear();
    }

    /// @inheritdoc IXvmDestination
    function expire(ExpireBatch[] calldata batches, bytes32 payee) external {
        ExecuteBatch[] calldata same;
        // The two differ in word 7 of a request alone (a place, a hash), and only `_run` with `expiring` reads that.
        assembly ("memory-safe") {
            same.offset := batches.offset
            same.length := batches.length
        }
        _run(same, payee, true);
    }

    /// @inheritdoc IXvmDestination
    function showLapsed(RequestByHash[] calldata requests) external {
        for (uint256 i = 0; i < requests.length; ++i) {
            RequestByHash calldata request = requests[i];
            Request calldata same;
            assembly ("memory-safe") {
                same := request
            }
            uint256 requestId = RequestHash.idOfCalldata(same, true);
            // SECURITY: only what this gateway will never run again
            if (block.timestamp <= request.expiry) revert NotLapsed(requestId, request.expiry);
            _lapsed[requestId] = true;
            emit XVMLapseShown(requestId);
        }
    }

    /// @inheritdoc IXvmDestination
    function currentRequest() external view returns (uint256 requestId, bytes memory sender) {
        return CurrentRequest.get();
    }

    /// @inheritdoc IXvmDestination
    function consumed(uint256 requestId) external view returns (bytes32 slotWord) {
        return _slots[requestId];
    }

    /// @inheritdoc IXvmDestination
    function executor() external view returns (address) {
        return address(EXECUTOR);
    }

    /// @inheritdoc IXvmDestination
    function accounts() external view returns (address) {
        return address(ACCOUNTS);
    }

    function _run(ExecuteBatch[] calldata batches, bytes32 payee, bool expiring) private {
        Run memory run;
        run.verifier = _control.verifier;
        run.payee = payee;
        run.expiring = expiring;
        bytes memory self = _accountAddress(address(this));
        run.self = keccak256(self);
        run.chainPrefix = bytes32(self);
        run.chainPrefixLength = self.length - 20;
        for (uint256 i = 0; i < batches.length; ++i) {
            ExecuteBatch calldata batch = batches[i];
            uint256[] memory ids = _verifyRequests(run, batch);
            for (uint256 j = 0; j < ids.length; ++j) {
                uint256 free;
                assembly ("memory-safe") {
                    free := mload(0x40)
                }
                _conclude(run, ids[j], batch.items[j].request);
                // Memory costs grow with its square: what one request needed is given back before the next.
                assembly ("memory-safe") {
                    mstore(0x40, free)
                }
            }
        }
    }

    /// @dev Consumes one certified request, or skips it with a log.
    function _conclude(Run memory run, uint256 requestId, Request calldata request) private {
        bytes4 reason = _skipReason(run, requestId, request);
        if (reason != 0) {
            emit XVMCallSkipped(requestId, reason);
            return;
        }
        Conclusion memory conclusion;
        if (block.timestamp > request.expiry) {
            conclusion.kind = Kind.EXPIRED;
            _slots[requestId] = _slotWord(Kind.EXPIRED, requestId);
        } else {
            bytes32 earlier = _earlier(request.origin);
            if (_isTaken(earlier)) {
                conclusion.kind = Kind.DUPLICATE;
                conclusion.returnData = bytes.concat(earlier);
                _slots[requestId] = _slotWord(Kind.DUPLICATE, requestId);
            } else {
                _call(run, requestId, request, conclusion);
            }
        }
        emit XVMCallConcluded(
            requestId,
            run.sourceGateway,
            request.sourceGateway,
            conclusion.kind,
            conclusion.cut,
            conclusion.returnData,
            run.payee
        );
    }

    /// @dev Runs the target, or finds that it cannot be run. The slot is written before the call.
    function _call(Run memory run, uint256 requestId, Request calldata request, Conclusion memory conclusion) private {
        uint256 slot = request.origin == 0 ? requestId : request.origin;
        address target = _targetOf(run, request.target);
        if (!_isReachable(run, target, request.codeHash)) {
            conclusion.kind = Kind.UNREACHED;
            _slots[slot] = _slotWord(Kind.UNREACHED, requestId);
            return;
        }
        // SECURITY: consumed before the call, or the target could have itself executed again
        _slots[slot] = _slotWord(Kind.EXECUTED, requestId);
        CurrentRequest.set(requestId, request.sender);
        bool success;
        if (request.ownAccount) {
            (success, conclusion.cut, conclusion.returnData) = ACCOUNTS.run(
                keccak256(request.sender), target, request.executionGasLimit, request.returnLimit, request.payload
            );
        } else {
            (success, conclusion.cut, conclusion.returnData) =
                EXECUTOR.run(target, request.executionGasLimit, request.returnLimit, request.payload);
        }
        if (!success) {
            conclusion.kind = Kind.REVERTED;
            _slots[slot] = _slotWord(Kind.REVERTED, requestId);
        }
    }

    /// @dev Why a request is passed over, as an error's selector; 0 if it is not. Reads only.
    function _skipReason(Run memory run, uint256 requestId, Request calldata request) private view returns (bytes4) {
        // SECURITY: a certificate is good at the gateway that it names, but a batch may hold requests for any
        if (keccak256(request.destinationGateway) != run.self || request.mode != Mode.CALL) {
            return WrongGateway.selector;
        }
        if (!_isOnThisChain(run, request.target)) return WrongChain.selector;
        bytes32 sourceGateway = keccak256(request.sourceGateway);
        if (sourceGateway != run.sourceGateway) {
            run.sourceGateway = sourceGateway;
            run.inbound = ROUTES.inbound(sourceGateway);
        }
        // SECURITY: signers certify what a gateway emitted, the owner says which gateways count
        if (run.inbound == IXvmRoutes.Inbound.UNREGISTERED) return UnregisteredSourceGateway.selector;
        if (run.inbound == IXvmRoutes.Inbound.PAUSED && !run.expiring) return InboundPaused.selector;
        // SECURITY: at most once, whichever attempt consumed it
        if (_slots[requestId] != 0) return AlreadyConsumed.selector;
        bytes32 earlier = _earlier(request.origin);
        if (earlier != 0 && uint256(earlier) & ID_MASK == requestId & ID_MASK) return AlreadyConsumed.selector;
        if (block.timestamp > request.expiry) return 0;
        if (run.expiring) return NotExpired.selector;
        // a duplicate runs nothing and waits for nobody
        if (_isTaken(earlier)) return 0;
        uint256 predecessor = request.orderedAfter;
        if (predecessor > FIRST_ORDERED && _slots[predecessor] == 0 && !_lapsed[predecessor]) {
            return PredecessorOpen.selector;
        }
        return 0;
    }

    /// @dev The slot word of the attempts before this one; 0 if there were none, or none was consumed.
    function _earlier(uint256 origin) private view returns (bytes32) {
        return origin == 0 ? bytes32(0) : _slots[origin];
    }

    /// @dev Whether an earlier attempt's slot word leaves a later one nothing to do.
    function _isTaken(bytes32 earlier) private pure returns (bool) {
        return earlier != 0 && uint8(earlier[0]) != Kind.EXPIRED;
    }

    /// @dev SECURITY: our own contracts are nobody's targets, whatever they would make of it. Precompiles have no code.
    function _isReachable(Run memory run, address target, bytes32 codeHash) private view returns (bool) {
        if (
            target == address(this) || target == address(EXECUTOR) || target == address(run.verifier)
                || target == address(ROUTES) || target == address(REGISTRY) || target == address(ACCOUNTS)
        ) return false;
        if (target.code.length == 0) return false;
        return codeHash == 0 || target.codehash == codeHash;
    }

    /// @dev Whether an account's chain is this one. Its address may still be malformed.
    function _isOnThisChain(Run memory run, bytes calldata account) private pure returns (bool) {
        uint256 length = run.chainPrefixLength - 1;
        return account.length >= length && (bytes32(account) ^ run.chainPrefix) >> (256 - 8 * length) == 0;
    }

    /// @dev The address of an account of this chain, or 0 (which has no code) if it is not one of 20 bytes.
    function _targetOf(Run memory run, bytes calldata account) private pure returns (address) {
        uint256 length = run.chainPrefixLength;
        if (account.length != length + 20 || uint8(account[length - 1]) != 20) return address(0);
        return address(bytes20(account[length:]));
    }

    function _slotWord(uint8 kind, uint256 requestId) private pure returns (bytes32) {
        return bytes32((uint256(kind) << 248) | (requestId & ID_MASK));
    }

    /// @dev Builds a batch's root and has it verified.
    /// @return ids The ids of its items.
    function _verifyRequests(Run memory run, ExecuteBatch calldata batch) private view returns (uint256[] memory ids) {
        uint256 given = batch.given;
        ids = new uint256[](batch.items.length);
        uint256 n = Batches.leafCount(given, ids.length, batch.bare.length);
        uint256 tree = Merkle.reserve(n);
        uint256 next = 0;
        for (uint256 i = 0; i < n; ++i) {
            bytes32 leaf;
            if ((given >> i) & 1 == 1) {
                ids[next] = RequestHash.idOfCalldata(batch.items[next].request, run.expiring);
                leaf = StatementHash.leaf(StatementHash.execute(ids[next], batch.items[next]));
                ++next;
            } else {
                leaf = batch.bare[i - next];
            }
            Merkle.set(tree, n, i, leaf);
        }
        run.verifier.verify(Merkle.root(tree, n), uint32(n), batch.certificate);
    }
}
