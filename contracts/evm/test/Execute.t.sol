// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {XvmCounter} from "../src/examples/XvmCounter.sol";
import {IXvmDestination} from "../src/interfaces/IXvmDestination.sol";
import {IXvmExecutor} from "../src/interfaces/IXvmExecutor.sol";
import {IXvmGateway} from "../src/interfaces/IXvmGateway.sol";
import {IXvmVerifier} from "../src/interfaces/IXvmVerifier.sol";
import {
    Direction,
    ExecuteBatch,
    ExecuteItem,
    ExpireBatch,
    Kind,
    Mode,
    Options,
    Request
} from "../src/interfaces/XvmTypes.sol";
import {RequestHash} from "../src/libraries/RequestHash.sol";
import {Middleman, Probe} from "./Actors.sol";
import {GatewayTest} from "./GatewayTest.sol";
import {Vm} from "./Vm.sol";

contract ExecuteTest is GatewayTest {
    Probe private probe = new Probe();

    function test_ARequestIsExecutedAndLeavesItsReceipt() public {
        (uint256 id, Request memory request) = ask(increment(5));
        execute(request);
        assertConcluded(id, Kind.EXECUTED, false, abi.encode(5));
        assertEq(counter.count(), 5, "the target ran");
        assertEq(destination.consumed(id), slotWord(Kind.EXECUTED, id), "slot word");
    }

    function test_TheTargetSeesTheExecutorAndTheRequest() public {
        (uint256 id, Request memory request) = _askProbe(500_000);
        execute(request);
        assertEq(probe.caller(), destination.executor(), "caller");
        assertEq(probe.seen(), abi.encode(id, account(address(echo))), "id and sender");
        (uint256 current, bytes memory sender) = destination.currentRequest();
        assertEq(current, 0, "and nothing afterwards");
        assertEq(sender.length, 0, "and nothing afterwards");
    }

    function test_LongSendersAreTold(uint8 referenceLength, uint8 addressLength) public {
        (, Request memory request) = _askProbe(2_000_000);
        request.sender = abi.encodePacked(
            hex"0001c001", referenceLength, _filled(referenceLength, 0xaa), addressLength, _filled(addressLength, 0xbb)
        );
        execute(request);
        assertEq(probe.seen(), abi.encode(RequestHash.id(request), request.sender), "id and sender");
    }

    function test_AFailingTargetIsReverted() public {
        (uint256 id, Request memory request) = ask(abi.encodeCall(XvmCounter.fail, (7)));
        execute(request);
        assertConcluded(id, Kind.REVERTED, false, abi.encodeWithSelector(XvmCounter.Refused.selector, 7));
        assertEq(destination.consumed(id), slotWord(Kind.REVERTED, id), "slot word");
    }

    function test_ATargetThatBurnsItsGasIsReverted() public {
        (uint256 id, Request memory request) = ask(abi.encodeCall(XvmCounter.burn, ()));
        execute(request);
        assertConcluded(id, Kind.REVERTED, false, "");
    }

    /// @notice SECURITY: return bombs of both kinds are cut at the request's limit.
    function test_SECURITY_AnswersAreCutAtTheLimit(uint16 length, uint16 limit, bool reverting) public {
        Options memory options;
        options.returnLimit = uint32(bound(limit, 1, 2048));
        (uint256 id, Request memory request) =
            askBy(echo, address(probe), abi.encodeCall(Probe.bomb, (length, reverting)), options);
        execute(request);
        bool cut = length > options.returnLimit;
        assertConcluded(
            id, reverting ? Kind.REVERTED : Kind.EXECUTED, cut, new bytes(cut ? options.returnLimit : length)
        );
    }

    function test_ALimitOfZeroBytesIsKept() public {
        (, Request memory request) = ask(increment(5));
        request.returnLimit = 0;
        execute(request);
        assertConcluded(RequestHash.id(request), Kind.EXECUTED, true, "");
    }

    function test_ABatchRunsInOrderAndOneFailureHarmsNoOther() public {
        Request[] memory requests = new Request[](4);
        (, requests[0]) = ask(increment(1));
        (, requests[1]) = ask(abi.encodeCall(XvmCounter.fail, (1)));
        (, requests[2]) = ask(abi.encodeCall(XvmCounter.burn, ()));
        (, requests[3]) = ask(increment(2));
        execute(executeBatch(requests));
        assertEq(counter.count(), 3, "both increments");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(countLogs(logs, IXvmDestination.XVMCallConcluded.selector), 4, "four receipts");
    }

    function test_BareLeavesStandForRequestsThatAreLeftOut() public {
        Request[] memory requests = new Request[](3);
        for (uint256 i = 0; i < 3; ++i) {
            (, requests[i]) = ask(increment(10 ** i));
        }
        ExecuteBatch[] memory batches = executeBatch(requests);
        ExecuteItem[] memory second = new ExecuteItem[](1);
        second[0] = batches[0].items[1];
        batches[0].bare = new bytes32[](2);
        batches[0].bare[0] = executeLeaf(batches[0].items[0]);
        batches[0].bare[1] = executeLeaf(batches[0].items[2]);
        batches[0].items = second;
        batches[0].given = 2;
        execute(batches);
        assertEq(counter.count(), 10, "the second alone");
    }

    // ---- at most once

    function test_SECURITY_AConsumedRequestIsSkipped() public {
        (uint256 id, Request memory request) = ask(increment(5));
        execute(request);
        execute(request);
        assertSkipped(id, IXvmDestination.AlreadyConsumed.selector);
        assertEq(counter.count(), 5, "once");
        Request[] memory twice = new Request[](2);
        (, twice[0]) = ask(increment(1));
        twice[1] = twice[0];
        execute(executeBatch(twice));
        assertEq(counter.count(), 6, "once");
    }

    function test_SECURITY_AConsumedRequestStaysConsumedAfterItsExpiry() public {
        (uint256 id, Request memory request) = ask(increment(5));
        execute(request);
        vm.warp(request.expiry + 1);
        execute(request);
        assertSkipped(id, IXvmDestination.AlreadyConsumed.selector);
        vm.recordLogs();
        destination.expire(expireBatch(request), payeeWord(worker));
        assertSkipped(id, IXvmDestination.AlreadyConsumed.selector);
    }

    /// @notice SECURITY: the slot is written before the call, so a target cannot have its own request concluded again.
    function test_SECURITY_ATargetThatReentersHarmsNobody() public {
        (uint256 id, Request memory request) = _askProbe(1_500_000);
        (uint256 other, Request memory otherRequest) = ask(increment(1));
        Request[] memory requests = new Request[](2);
        (requests[0], requests[1]) = (request, otherRequest);
        ExecuteBatch[] memory batches = executeBatch(requests);

        probe.setMove(address(destination), abi.encodeCall(destination.execute, (batches, bytes32(0))));
        uint256 start = vm.snapshotState();
        execute(batches);
        assertTrue(!probe.worked(), "execute is refused");
        assertEq(probe.runs(), 1, "one run");
        assertTrue(probe.consumedAtEntry() != 0, "consumed before the call");
        assertEq(counter.count(), 1, "the other ran");
        vm.revertToState(start);

        // expire may be called by anyone, but the request is consumed and the other is not expired
        probe.setMove(address(destination), abi.encodeCall(destination.expire, (expireBatch(requests), bytes32(0))));
        execute(batches);
        assertTrue(probe.worked(), "expire runs");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(countLogs(logs, IXvmDestination.XVMCallSkipped.selector), 2, "and skips both");
        assertEq(countLogs(logs, IXvmDestination.XVMCallConcluded.selector), 2, "each concluded once");
        assertEq(destination.consumed(id), slotWord(Kind.EXECUTED, id), "executed");
        assertEq(destination.consumed(other), slotWord(Kind.EXECUTED, other), "executed");
    }

    // ---- skipped, changing nothing

    function test_SECURITY_RequestsForAnotherGatewayAreSkipped() public {
        (, Request memory request) = ask(increment(5));
        request.destinationGateway = account(address(source));
        _skipped(request, IXvmDestination.WrongGateway.selector);
        request.destinationGateway = InteroperableAddress.formatEvmV1(1, address(destination));
        _skipped(request, IXvmDestination.WrongGateway.selector);
        request.destinationGateway = "";
        request.mode = Mode.QUERY;
        _skipped(request, IXvmDestination.WrongGateway.selector);
        request.destinationGateway = account(address(destination));
        _skipped(request, IXvmDestination.WrongGateway.selector);
    }

    function test_RequestsForAnotherChainAreSkipped() public {
        (, Request memory request) = ask(increment(5));
        request.target = InteroperableAddress.formatEvmV1(1, address(counter));
        _skipped(request, IXvmDestination.WrongChain.selector);
        request.target = InteroperableAddress.formatEvmV1(CHAIN << 8, address(counter));
        _skipped(request, IXvmDestination.WrongChain.selector);
        request.target = "";
        _skipped(request, IXvmDestination.WrongChain.selector);
        request.target = account(address(counter));
        request.target[3] = 0x02;
        _skipped(request, IXvmDestination.WrongChain.selector);
    }

    function test_SECURITY_RequestsOfUnregisteredGatewaysAreSkipped() public {
        (, Request memory request) = ask(increment(5));
        request.sourceGateway = account(address(0xbad));
        _skipped(request, IXvmDestination.UnregisteredSourceGateway.selector);
        destinationRoutes.setInbound(account(address(source)), false);
        request.sourceGateway = account(address(source));
        _skipped(request, IXvmDestination.UnregisteredSourceGateway.selector);
    }

    function test_RequestsOfAPausedGatewayAreSkippedUntilThePauseEnds() public {
        (, Request memory request) = ask(increment(5));
        vm.prank(guardian);
        destinationRoutes.pauseInbound(account(address(source)), 5);
        _skipped(request, IXvmDestination.InboundPaused.selector);
        vm.roll(HEIGHT + 5);
        execute(request);
        assertEq(counter.count(), 5, "open again");
    }

    // ---- clocks and attempts

    function test_TheLastSecondExecutesAndTheNextExpires() public {
        (uint256 id, Request memory request) = ask(increment(5));
        (uint256 late, Request memory lateRequest) = ask(increment(5));
        vm.warp(request.expiry);
        execute(request);
        assertConcluded(id, Kind.EXECUTED, false, abi.encode(5));
        vm.warp(request.expiry + 1);
        execute(lateRequest);
        assertConcluded(late, Kind.EXPIRED, false, "");
        assertEq(destination.consumed(late), slotWord(Kind.EXPIRED, late), "slot word");
        assertEq(counter.count(), 5, "not executed");
        execute(lateRequest);
        assertSkipped(late, IXvmDestination.AlreadyConsumed.selector);
    }

    function test_ARetryRunsWhereTheFirstAttemptExpiredOrNeverCame() public {
        (uint256 first, Request memory firstRequest) = ask(increment(5));
        (, Request memory retry) = ask(increment(5));
        retry.origin = first;
        uint256 id = RequestHash.id(retry);
        uint256 start = vm.snapshotState();

        execute(retry);
        assertConcluded(id, Kind.EXECUTED, false, abi.encode(5));
        assertEq(destination.consumed(first), slotWord(Kind.EXECUTED, id), "the first attempt's slot names this one");
        assertEq(destination.consumed(id), 0, "its own slot stays empty");
        execute(retry);
        assertSkipped(id, IXvmDestination.AlreadyConsumed.selector);
        execute(firstRequest);
        assertSkipped(first, IXvmDestination.AlreadyConsumed.selector);
        assertEq(counter.count(), 5, "once");
        vm.revertToState(start);

        vm.warp(firstRequest.expiry + 1);
        execute(firstRequest);
        retry.expiry = firstRequest.expiry + 500;
        id = RequestHash.id(retry);
        execute(retry);
        assertConcluded(id, Kind.EXECUTED, false, abi.encode(5));
        assertEq(destination.consumed(first), slotWord(Kind.EXECUTED, id), "over the expired attempt");
    }

    function test_SECURITY_ARetryOfAConsumedAttemptIsADuplicate() public {
        (uint256 first, Request memory firstRequest) = ask(abi.encodeCall(XvmCounter.fail, (1)));
        (, Request memory second) = ask(increment(5));
        second.origin = first;
        (, Request memory third) = ask(increment(7));
        third.origin = first;
        uint256 start = vm.snapshotState();

        // the first attempt failed: that is what became of it
        execute(firstRequest);
        execute(second);
        uint256 id = RequestHash.id(second);
        assertConcluded(id, Kind.DUPLICATE, false, abi.encode(slotWord(Kind.REVERTED, first)));
        assertEq(destination.consumed(id), slotWord(Kind.DUPLICATE, id), "in its own slot");
        assertEq(destination.consumed(first), slotWord(Kind.REVERTED, first), "the first is as it was");
        execute(second);
        assertSkipped(id, IXvmDestination.AlreadyConsumed.selector);
        vm.revertToState(start);

        // the second attempt came first: the third is a duplicate of it
        execute(second);
        execute(third);
        assertConcluded(
            RequestHash.id(third), Kind.DUPLICATE, false, abi.encode(slotWord(Kind.EXECUTED, RequestHash.id(second)))
        );
        assertEq(counter.count(), 5, "one of them ran");
    }

    function test_AnExpiredRetryExpiresBeforeItIsADuplicate() public {
        (uint256 first, Request memory firstRequest) = ask(increment(5));
        (, Request memory retry) = ask(increment(5));
        retry.origin = first;
        execute(firstRequest);
        vm.warp(retry.expiry + 1);
        execute(retry);
        uint256 id = RequestHash.id(retry);
        assertConcluded(id, Kind.EXPIRED, false, "");
        assertEq(destination.consumed(id), slotWord(Kind.EXPIRED, id), "in its own slot");
        assertEq(destination.consumed(first), slotWord(Kind.EXECUTED, first), "the first is as it was");
    }

    // ---- unreached

    function test_SECURITY_OurOwnContractsAreForbiddenTargets() public {
        address[6] memory own = [
            address(destination),
            destination.executor(),
            address(destinationVerifier),
            address(destinationRoutes),
            address(registry),
            destination.accounts()
        ];
        for (uint256 i = 0; i < own.length; ++i) {
            _unreached(own[i], 0);
        }
    }

    function test_TargetsWithoutCodeAreUnreached() public {
        _unreached(address(0xdead), 0);
        for (uint160 precompile = 1; precompile <= 17; ++precompile) {
            _unreached(address(precompile), 0);
        }
        _unreached(address(0), 0);
    }

    function test_ACodeHashMustMatch() public {
        _unreached(address(counter), keccak256("other code"));
        Options memory options;
        options.codeHash = address(counter).codehash;
        (uint256 id, Request memory request) = askBy(echo, address(counter), increment(5), options);
        execute(request);
        assertConcluded(id, Kind.EXECUTED, false, abi.encode(5));
    }

    function test_AMalformedTargetOnThisChainIsUnreached() public {
        (, Request memory request) = ask(increment(5));
        request.target = hex"00010000027a6900";
        _unreached(request);
        request.target = bytes.concat(hex"00010000027a6913", bytes19(bytes20(address(counter))));
        _unreached(request);
        request.target = bytes.concat(account(address(counter)), hex"00");
        _unreached(request);
        request.target = bytes.concat(hex"00010000027a6915", bytes20(address(counter)));
        _unreached(request);
        request.target = hex"00010000027a69";
        _unreached(request);
    }

    // ---- gas

    /// @notice SECURITY: with whatever gas a submitter sends, the target starts with exactly its gas, or nothing happened.
    function test_SECURITY_TargetGetsExactlyItsGasOrTheTransactionReverts() public {
        (, Request memory request) = _askProbe(400_000);
        ExecuteBatch[] memory batches = executeBatch(request);
        bytes memory call = abi.encodeCall(destination.execute, (batches, payeeWord(worker)));
        uint256 start = vm.snapshotState();
        execute(batches);
        uint256 exact = probe.gasAtEntry();
        assertTrue(exact <= 400_000 && exact > 399_000, "what is left of it at the target's first line");
        vm.revertToState(start);
        (uint256 refusals, uint256 executions) = (0, 0);
        for (uint256 gasLimit = 300_000; gasLimit < 650_000; gasLimit += 1500) {
            uint256 state = vm.snapshotState();
            vm.recordLogs();
            vm.prank(relayer, relayer);
            (bool success, bytes memory reason) = address(destination).call{gas: gasLimit}(call);
            if (success) {
                ++executions;
                assertEq(probe.gasAtEntry(), exact, "the same gas, however much was sent");
                assertConcluded(RequestHash.id(request), Kind.EXECUTED, false, "");
            } else if (reason.length != 0) {
                ++refusals;
                assertEq(
                    reason,
                    abi.encodeWithSelector(IXvmExecutor.InsufficientExecutionGas.selector, 400_000),
                    "the reason"
                );
            }
            vm.revertToState(state);
        }
        assertTrue(refusals > 10 && executions > 10, "both were seen");
    }

    function test_SECURITY_ADelegatedTargetGetsItsGasAsWell() public {
        // an EIP-7702 delegation costs the caller one more cold access before the target's gas is taken
        address delegated = address(0x7702);
        vm.etch(delegated, abi.encodePacked(hex"ef0100", address(probe)));
        Options memory options;
        options.executionGasLimit = 400_000;
        (, Request memory request) =
            askBy(echo, delegated, abi.encodeCall(Probe.touch, (IXvmDestination(address(destination)))), options);
        bytes memory call = abi.encodeCall(destination.execute, (executeBatch(request), payeeWord(worker)));
        uint256 least = type(uint256).max;
        for (uint256 gasLimit = 420_000; gasLimit < 620_000; gasLimit += 1000) {
            uint256 state = vm.snapshotState();
            vm.prank(relayer, relayer);
            (bool success,) = address(destination).call{gas: gasLimit}(call);
            if (success && Probe(delegated).gasAtEntry() < least) least = Probe(delegated).gasAtEntry();
            vm.revertToState(state);
        }
        assertTrue(least > 399_000 && least <= 400_000, "never starved");
    }

    // ---- callers and controls

    function test_SECURITY_ContractsMayNotExecute() public {
        (, Request memory request) = ask(increment(5));
        ExecuteBatch[] memory batches = executeBatch(request);
        Middleman middleman = new Middleman();
        vm.prank(relayer, relayer);
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.ContractCaller.selector, address(middleman)));
        middleman.execute(destination, batches);
        vm.etch(relayer, abi.encodePacked(hex"ef0100", address(middleman)));
        vm.prank(relayer, relayer);
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.ContractCaller.selector, relayer));
        destination.execute(batches, 0);
    }

    function test_SECURITY_OnlyTheGatewayUsesTheExecutor() public {
        IXvmExecutor executor = IXvmExecutor(destination.executor());
        assertEq(executor.gateway(), address(destination), "its gateway");
        vm.expectRevert(abi.encodeWithSelector(IXvmExecutor.OnlyGateway.selector, address(this)));
        executor.run(address(counter), 100_000, 32, increment(1));
    }

    function test_PausedExecutionsAreRefused() public {
        (, Request memory request) = ask(increment(5));
        ExecuteBatch[] memory batches = executeBatch(request);
        vm.prank(guardian);
        destination.pause(Direction.EXECUTIONS, 5);
        vm.prank(relayer, relayer);
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.Paused.selector, Direction.EXECUTIONS, HEIGHT + 5));
        destination.execute(batches, 0);
        vm.roll(HEIGHT + 5);
        execute(batches);
        assertEq(counter.count(), 5, "open again");
    }

    /// @notice SECURITY: whatever is changed in a certified request, it is no longer certified.
    function test_SECURITY_NoFieldOfACertifiedRequestCanBeChanged(uint8 field, uint256 change) public {
        (, Request memory request) = ask(increment(5));
        ExecuteBatch[] memory batches = executeBatch(request);
        Request memory given = batches[0].items[0].request;
        field = uint8(bound(field, 0, 17));
        change = bound(change, 1, type(uint32).max);
        if (field == 0) given.sourceGateway = account(address(0xbad));
        else if (field == 1) given.sender = account(address(0xbad));
        else if (field == 2) given.destinationGateway = account(address(0xbad));
        else if (field == 3) given.target = account(address(0xbad));
        else if (field == 4) given.nonce += uint64(change);
        else if (field == 5) given.mode = 1;
        else if (field == 6) given.ownAccount = true;
        else if (field == 7) given.payload = increment(6);
        else if (field == 8) given.executionGasLimit += uint64(change);
        else if (field == 9) given.callbackGasLimit += uint64(change);
        else if (field == 10) given.returnLimit = uint32(change) == 1024 ? 0 : uint32(change);
        else if (field == 11) given.expiry += uint64(change);
        else if (field == 12) given.orderedAfter = change;
        else if (field == 13) given.origin = change;
        else if (field == 14) given.codeHash = bytes32(change);
        else if (field == 15) given.disputeBlocks = uint32(change);
        else if (field == 16) given.metadata = abi.encode(change);
        else batches[0].items[0].height += uint64(change);
        vm.prank(relayer, relayer);
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.ForgedSignature.selector, 0));
        destination.execute(batches, 0);
    }

    // ---- expire

    function test_ExpireLeavesAloneWhatMayStillRun() public {
        (uint256 id, Request memory request) = ask(increment(5));
        vm.warp(request.expiry);
        vm.recordLogs();
        destination.expire(expireBatch(request), payeeWord(worker));
        assertSkipped(id, IXvmDestination.NotExpired.selector);
        execute(request);
        assertEq(counter.count(), 5, "and it runs");
    }

    function test_ExpireConcludesByThePayloadsHashForAnyoneAndThroughPauses() public {
        (uint256 id, Request memory request) = ask(increment(5));
        vm.warp(request.expiry + 1);
        destination.pause(Direction.EXECUTIONS, 5);
        destinationRoutes.pauseInbound(account(address(source)), 5);
        vm.recordLogs();
        // by this contract, without the payload
        destination.expire(expireBatch(request), payeeWord(worker));
        assertConcluded(id, Kind.EXPIRED, false, "");
        assertEq(destination.consumed(id), slotWord(Kind.EXPIRED, id), "slot word");
    }

    function test_SECURITY_ExpireIsCertifiedToo() public {
        (, Request memory request) = ask(increment(5));
        vm.warp(request.expiry + 1);
        ExpireBatch[] memory batches = expireBatch(request);
        batches[0].items[0].request.expiry -= 1;
        vm.expectRevert(abi.encodeWithSelector(IXvmVerifier.ForgedSignature.selector, 0));
        destination.expire(batches, 0);
    }

    function _askProbe(uint64 gasLimit) private returns (uint256, Request memory) {
        Options memory options;
        options.executionGasLimit = gasLimit;
        return
            askBy(echo, address(probe), abi.encodeCall(Probe.touch, (IXvmDestination(address(destination)))), options);
    }

    function _skipped(Request memory request, bytes4 reason) private {
        execute(request);
        uint256 id = RequestHash.id(request);
        assertSkipped(id, reason);
        assertEq(destination.consumed(id), 0, "nothing is written");
        assertEq(counter.count(), 0, "nothing is run");
    }

    function _unreached(address target, bytes32 codeHash) private {
        Options memory options;
        options.codeHash = codeHash;
        (, Request memory request) = askBy(echo, target, increment(5), options);
        _unreached(request);
    }

    function _unreached(Request memory request) private {
        execute(request);
        uint256 id = RequestHash.id(request);
        assertConcluded(id, Kind.UNREACHED, false, "");
        assertEq(destination.consumed(id), slotWord(Kind.UNREACHED, id), "slot word");
        assertEq(counter.count(), 0, "nothing is run");
    }

    function _filled(uint256 length, bytes1 value) private pure returns (bytes memory data) {
        data = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            data[i] = value;
        }
    }
}
