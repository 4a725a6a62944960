// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {XvmEcho} from "../src/examples/XvmEcho.sol";
import {IXvmGateway} from "../src/interfaces/IXvmGateway.sol";
import {IXvmSource} from "../src/interfaces/IXvmSource.sol";
import {IXvmVerifier} from "../src/interfaces/IXvmVerifier.sol";
import {
    DeliverBatch,
    Direction,
    Kind,
    Options,
    OutcomeItem,
    PendingRequest,
    Request,
    State
} from "../src/interfaces/XvmTypes.sol";
import {StatementHash} from "../src/libraries/StatementHash.sol";
import {Middleman, Requester} from "./Actors.sol";
import {GatewayTest} from "./GatewayTest.sol";
import {Vm} from "./Vm.sol";

contract DeliverTest is GatewayTest {
    uint256 private constant EXECUTION_SHARE = (500_000 + 60_000 + 36 * 40) * 3e9;
    uint256 private constant CALLBACK_SHARE = (300_000 + 40_000 + 1024 * 24) * 20e9;
    uint256 private constant SIGNERS_SHARE = 1e13 + (EXECUTION_SHARE + CALLBACK_SHARE) * 5 / 100;

    function test_CallbackTellsTheOutcomeAndEverybodyIsCredited() public {
        (uint256 id,) = ask(increment(1));
        deliver(outcome(id, Kind.EXECUTED, hex"c0ffee"));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        XvmEcho.Result memory result = echo.results(id);
        assertTrue(result.arrived && result.success, "success");
        assertEq(result.returnData, hex"c0ffee", "return data");
        Vm.Log memory log = onlyLog(logs, IXvmSource.XVMCallbackDelivered.selector);
        assertEq(uint256(log.topics[1]), id, "id");
        assertEq(log.data, abi.encode(Kind.EXECUTED, true, keccak256(hex"c0ffee"), relayer), "event");
        assertEq(source.pendingRequest(id).state, State.NONE, "cleared");
        assertEq(source.pendingRequest(id).requester, address(0), "cleared");
        assertEq(source.credits(worker), EXECUTION_SHARE, "payee");
        assertEq(source.credits(relayer), CALLBACK_SHARE, "deliverer");
        assertEq(source.uncollected(relayer), SIGNERS_SHARE, "signers");
        assertSolvent(0);
    }

    function test_EveryKindSaysWhetherItSucceeded() public {
        bytes memory duplicateOfExecuted = abi.encode(slotWord(Kind.EXECUTED, 7));
        bytes memory duplicateOfReverted = abi.encode(slotWord(Kind.REVERTED, 7));
        _assertSuccess(Kind.EXECUTED, "", true);
        _assertSuccess(Kind.REVERTED, hex"01", false);
        _assertSuccess(Kind.UNREACHED, "", false);
        _assertSuccess(Kind.EXPIRED, "", false);
        _assertSuccess(Kind.DUPLICATE, duplicateOfExecuted, true);
        _assertSuccess(Kind.DUPLICATE, duplicateOfReverted, false);
        _assertSuccess(Kind.DUPLICATE, "", false);
    }

    function test_AnAccountThatAskedGetsTheEventAlone() public {
        (uint256 id,) = askAsEoa(increment(1));
        // were it called, code would be run
        vm.etch(alice, hex"5f5ffd");
        deliver(outcome(id, Kind.EXECUTED, hex"01"));
        onlyLog(vm.getRecordedLogs(), IXvmSource.XVMCallbackDelivered.selector);
        assertEq(source.pendingRequest(id).state, State.NONE, "cleared");
        assertEq(source.credits(relayer), CALLBACK_SHARE, "the deliverer is paid");
    }

    function test_ExpiredAndDuplicatePayAFixedPartAndReturnTheRest() public {
        uint256 kept =
            EXECUTION_SHARE * ((uint256(80_000) * 3e9 * 10_000 + EXECUTION_SHARE - 1) / EXECUTION_SHARE) / 10_000;
        (uint256 id,) = ask(increment(1));
        deliver(outcome(id, Kind.EXPIRED, ""));
        assertEq(source.credits(worker), kept, "payee's part");
        assertEq(source.credits(address(echo)), EXECUTION_SHARE - kept, "requester's rest");
        (id,) = ask(increment(1));
        deliver(outcome(id, Kind.DUPLICATE, abi.encode(slotWord(Kind.EXECUTED, 7))));
        assertEq(source.credits(worker), 2 * kept, "payee's part");
        assertEq(source.credits(address(echo)), 2 * (EXECUTION_SHARE - kept), "requester's rest");
        assertTrue(kept >= 80_000 * 3e9 && kept < 81_000 * 3e9, "what expiring costs");
        assertSolvent(0);
    }

    function test_APayeeThatIsNoAccountOfThisChainPaysTheTreasury() public {
        (uint256 id,) = ask(increment(1));
        OutcomeItem memory item = outcome(id, Kind.EXECUTED, "");
        item.payee = bytes32(uint256(1) << 160);
        deliver(item);
        (id,) = ask(increment(1));
        item = outcome(id, Kind.EXECUTED, "");
        item.payee = 0;
        deliver(item);
        assertEq(source.credits(treasury), 2 * EXECUTION_SHARE, "treasury");
        assertSolvent(0);
    }

    function test_ADelivererThatIsThePayeeIsCreditedBoth() public {
        (uint256 id,) = ask(increment(1));
        OutcomeItem memory item = outcome(id, Kind.EXECUTED, "");
        item.payee = payeeWord(relayer);
        deliver(item);
        assertEq(source.credits(relayer), EXECUTION_SHARE + CALLBACK_SHARE, "both shares");
        assertSolvent(0);
    }

    function test_ABatchCreditsEachOfItsPayees() public {
        OutcomeItem[] memory items = _asked(5);
        items[1].payee = payeeWord(alice);
        items[2].payee = payeeWord(alice);
        items[3].payee = payeeWord(relayer);
        deliver(deliverBatch(items));
        assertEq(source.credits(worker), 2 * EXECUTION_SHARE, "the first and the last");
        assertEq(source.credits(alice), 2 * EXECUTION_SHARE, "the second and the third");
        assertEq(source.credits(relayer), EXECUTION_SHARE + 5 * CALLBACK_SHARE, "the fourth, and for all callbacks");
        assertSolvent(0);
    }

    function test_ATopUpAfterTheDeliveryWasPreparedDoesNotInvalidateIt() public {
        (uint256 id,) = ask(increment(1));
        DeliverBatch[] memory batches = deliverBatch(outcome(id, Kind.EXECUTED, ""));
        vm.prank(alice);
        source.addFee{value: 1 ether}(id);
        deliver(batches);
        assertTrue(echo.results(id).arrived, "delivered");
        assertEq(
            source.credits(worker) + source.credits(relayer),
            EXECUTION_SHARE + CALLBACK_SHARE + 1 ether,
            "and the top-up is paid"
        );
        assertEq(
            source.credits(worker),
            EXECUTION_SHARE + 1 ether * EXECUTION_SHARE / (EXECUTION_SHARE + CALLBACK_SHARE),
            "in proportion"
        );
    }

    // ---- batches

    function test_BareLeavesStandForOutcomesThatAreLeftOut() public {
        OutcomeItem[] memory items = _asked(5);
        DeliverBatch[] memory batches = deliverBatch(items);
        OutcomeItem[] memory some = new OutcomeItem[](2);
        (some[0], some[1]) = (items[1], items[4]);
        batches[0].outcomes = some;
        batches[0].given = 1 << 1 | 1 << 4;
        batches[0].bare = new bytes32[](3);
        batches[0].bare[0] = StatementHash.leaf(outcomeHash(items[0]));
        batches[0].bare[1] = StatementHash.leaf(outcomeHash(items[2]));
        batches[0].bare[2] = StatementHash.leaf(outcomeHash(items[3]));
        deliver(batches);
        assertEq(echo.callbacks(), 2, "two of five");
        assertTrue(echo.results(items[1].requestId).arrived && echo.results(items[4].requestId).arrived, "those given");
        // the rest comes later with the same certificate
        deliver(deliverBatch(items));
        assertEq(echo.callbacks(), 5, "the others");
    }

    function test_SeveralBatchesGoIntoOneTransaction() public {
        OutcomeItem[] memory items = _asked(4);
        DeliverBatch[] memory batches = new DeliverBatch[](3);
        for (uint256 i = 0; i < 3; ++i) {
            batches[i] = deliverBatch(items[i])[0];
        }
        deliver(batches);
        assertEq(echo.callbacks(), 3, "three");
        assertSolvent(feeOf(items[3].requestId));
    }

    function test_ABatchHasUpTo256Leaves(uint16 size) public {
        uint256 n = bound(size, 1, 256);
        (uint256 id,) = ask(increment(1));
        OutcomeItem[] memory items = new OutcomeItem[](n);
        for (uint256 i = 0; i < n; ++i) {
            items[i] = outcome(i + 1, Kind.EXECUTED, "");
        }
        items[n - 1].requestId = id;
        deliver(deliverBatch(items));
        assertEq(countLogs(vm.getRecordedLogs(), IXvmSource.XVMOutcomeSkipped.selector), n - 1, "skipped");
        assertTrue(echo.results(id).arrived, "delivered");
    }

    function test_SECURITY_ItemsThatNoLeafCoversAreRefused() public {
        OutcomeItem[] memory items = _asked(2);
        DeliverBatch[] memory batches = deliverBatch(items[0]);
        batches[0].outcomes = items;
        _deliveryReverts(batches, abi.encodeWithSelector(IXvmGateway.MalformedBatch.selector));
        batches[0].bare = new bytes32[](1);
        _deliveryReverts(batches, abi.encodeWithSelector(IXvmGateway.MalformedBatch.selector));
        batches = deliverBatch(items);
        batches[0].given = 7;
        _deliveryReverts(batches, abi.encodeWithSelector(IXvmGateway.MalformedBatch.selector));
        batches[0].given = 1;
        _deliveryReverts(batches, abi.encodeWithSelector(IXvmGateway.MalformedBatch.selector));
        batches[0].given = 1 << 5 | 1;
        _deliveryReverts(batches, abi.encodeWithSelector(IXvmGateway.MalformedBatch.selector));
    }

    function test_SECURITY_EmptyAndOversizedBatchesAndZeroRootsAreRefused() public {
        DeliverBatch[] memory batches = new DeliverBatch[](1);
        _deliveryReverts(batches, abi.encodeWithSelector(IXvmVerifier.EmptyBatch.selector));
        batches[0].bare = new bytes32[](257);
        _deliveryReverts(batches, abi.encodeWithSelector(IXvmGateway.MalformedBatch.selector));
        batches[0].bare = new bytes32[](1);
        batches[0].certificate = deliverBatch(outcome(1, 0, ""))[0].certificate;
        _deliveryReverts(batches, abi.encodeWithSelector(IXvmVerifier.ZeroRoot.selector));
    }

    /// @notice SECURITY: whatever is changed in a certified outcome, it is no longer certified.
    function test_SECURITY_NoFieldOfACertifiedOutcomeCanBeChanged(uint8 field, uint256 change) public {
        (uint256 id,) = ask(increment(1));
        (uint256 other,) = ask(increment(2));
        OutcomeItem memory item = outcome(id, Kind.REVERTED, hex"0102");
        DeliverBatch[] memory batches = deliverBatch(item);
        OutcomeItem memory given = batches[0].outcomes[0];
        field = uint8(bound(field, 0, 9));
        if (field == 0) given.requestId = other;
        else if (field == 1) given.kind = uint8(bound(change, 2, 255));
        else if (field == 2) given.cut = true;
        else if (field == 3) given.height = uint64(bound(change, 89, type(uint64).max));
        else if (field == 4) given.blockHash = bytes32(change);
        else if (field == 5) given.txIndex = uint32(bound(change, 3, type(uint32).max));
        else if (field == 6) given.logIndex = uint32(bound(change, 5, type(uint32).max));
        else if (field == 7) given.payee = payeeWord(address(0xbad));
        else if (field == 8) given.round = uint32(bound(change, 1, type(uint32).max));
        else given.returnData = hex"0103";
        _deliveryReverts(batches, abi.encodeWithSelector(IXvmVerifier.ForgedSignature.selector, 0));
    }

    function test_SECURITY_ACertificateForAnotherGatewayIsRefused() public {
        (uint256 id,) = ask(increment(1));
        DeliverBatch[] memory batches = deliverBatch(outcome(id, Kind.EXECUTED, ""));
        bytes32[] memory leaves = new bytes32[](1);
        leaves[0] = StatementHash.leaf(outcomeHash(batches[0].outcomes[0]));
        batches[0].certificate = certificate(destinationVerifier, leaves);
        _deliveryReverts(
            batches,
            abi.encodeWithSelector(IXvmVerifier.OtherGateway.selector, bytes4(keccak256(account(address(destination)))))
        );
    }

    // ---- replays

    function test_SECURITY_AReplayedOutcomeIsSkippedAndChangesNothing() public {
        (uint256 id,) = ask(increment(1));
        (uint256 open,) = ask(increment(1));
        DeliverBatch[] memory batches = deliverBatch(outcome(id, Kind.EXECUTED, ""));
        deliver(batches);
        uint256 credit = source.credits(relayer);
        deliver(batches);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 1, "one log");
        assertEq(uint256(onlyLog(logs, IXvmSource.XVMOutcomeSkipped.selector).topics[1]), id, "skipped");
        assertEq(source.credits(relayer), credit, "no credit");
        assertEq(source.credits(worker), EXECUTION_SHARE, "no credit");
        assertEq(source.uncollected(relayer), SIGNERS_SHARE, "no credit");
        assertEq(echo.callbacks(), 1, "no call");
        assertSolvent(feeOf(open));
    }

    function test_SECURITY_AnOutcomeTwiceInOneTransactionIsDeliveredOnce() public {
        (uint256 id,) = ask(increment(1));
        OutcomeItem[] memory items = new OutcomeItem[](2);
        items[0] = outcome(id, Kind.EXECUTED, "");
        items[1] = outcome(id, Kind.REVERTED, "");
        deliver(deliverBatch(items));
        assertEq(echo.callbacks(), 1, "one call");
        assertSolvent(0);
    }

    // ---- callers

    function test_SECURITY_ContractsMayNotDeliver() public {
        (uint256 id,) = ask(increment(1));
        DeliverBatch[] memory batches = deliverBatch(outcome(id, Kind.EXECUTED, ""));
        Middleman middleman = new Middleman();
        vm.prank(relayer, relayer);
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.ContractCaller.selector, address(middleman)));
        middleman.deliver(source, batches);
        vm.prank(relayer, alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.ContractCaller.selector, relayer));
        source.deliver(batches);
        // an account that is delegated (EIP-7702) to a contract
        vm.etch(relayer, abi.encodePacked(hex"ef0100", address(middleman)));
        vm.prank(relayer, relayer);
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.ContractCaller.selector, relayer));
        source.deliver(batches);
    }

    // ---- callbacks' gas

    /// @notice SECURITY: with whatever gas a deliverer sends, the handler starts with exactly its gas, or nothing happened.
    function test_SECURITY_CallbackGetsExactlyItsGasOrTheTransactionReverts() public {
        Requester requester = _requester();
        uint256 id = _askBy(requester, 200_000);
        DeliverBatch[] memory batches = deliverBatch(outcome(id, Kind.EXECUTED, new bytes(64)));
        bytes memory call = abi.encodeCall(source.deliver, (batches));
        uint256 start = vm.snapshotState();
        deliver(batches);
        uint256 exact = requester.gasAtEntry();
        assertTrue(exact <= 200_000 && exact > 199_000, "what is left of it at the handler's first line");
        vm.revertToState(start);
        (uint256 refusals, uint256 deliveries) = (0, 0);
        for (uint256 gasLimit = 150_000; gasLimit < 420_000; gasLimit += 1500) {
            uint256 state = vm.snapshotState();
            vm.recordLogs();
            vm.prank(relayer, relayer);
            (bool success, bytes memory reason) = address(source).call{gas: gasLimit}(call);
            if (success) {
                ++deliveries;
                assertEq(requester.gasAtEntry(), exact, "the same gas, however much was sent");
                assertEq(
                    countLogs(vm.getRecordedLogs(), IXvmSource.XVMHandlerFailed.selector), 0, "no failure by starving"
                );
            } else if (reason.length != 0) {
                ++refusals;
                assertEq(reason, abi.encodeWithSelector(IXvmSource.InsufficientCallbackGas.selector, id), "the reason");
            }
            vm.revertToState(state);
        }
        assertTrue(refusals > 10 && deliveries > 10, "both were seen");
    }

    // ---- failing handlers

    function test_AFailingHandlerHarmsNobodyElse() public {
        Requester requester = _requester();
        requester.setFailing(true);
        OutcomeItem[] memory items = _asked(3);
        items[1] = outcome(_askBy(requester, 100_000), Kind.EXECUTED, hex"0a");
        deliver(deliverBatch(items));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(countLogs(logs, IXvmSource.XVMCallbackDelivered.selector), 2, "the others are called");
        Vm.Log memory log = onlyLog(logs, IXvmSource.XVMHandlerFailed.selector);
        assertEq(uint256(log.topics[1]), items[1].requestId, "id");
        assertEq(log.data, abi.encode(Kind.EXECUTED, true, outcomeHash(items[1]), relayer), "event");
        PendingRequest memory pending = source.pendingRequest(items[1].requestId);
        assertEq(pending.state, State.HANDLER_FAILED, "state");
        assertEq(pending.requester, address(requester), "requester");
        assertEq(pending.fee, 0, "its fee is paid");
    }

    function test_AHandlerThatAnswersWithABombCostsOnlyItsOwnGas() public {
        Requester requester = _requester();
        requester.setBombing(true);
        uint256 id = _askBy(requester, 300_000);
        deliver(outcome(id, Kind.EXECUTED, ""));
        onlyLog(vm.getRecordedLogs(), IXvmSource.XVMCallbackDelivered.selector);
    }

    function test_AFailedHandlerIsReplayedByAnyoneWithMoreGas() public {
        (Requester requester, OutcomeItem memory item) = _failed();
        requester.setFailing(false);
        vm.recordLogs();
        vm.prank(alice, alice);
        source.retryCallback(item, 250_000);
        Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IXvmSource.XVMCallbackDelivered.selector);
        assertEq(log.data, abi.encode(Kind.EXECUTED, true, keccak256(hex"0a"), alice), "event");
        assertTrue(requester.gasAtEntry() > 249_000 && requester.gasAtEntry() <= 250_000, "its gas");
        assertEq(source.pendingRequest(item.requestId).state, State.NONE, "done");
        assertEq(source.credits(alice), 0, "for free");
    }

    function test_AReplayThatFailsAgainChangesNothing() public {
        (, OutcomeItem memory item) = _failed();
        vm.prank(alice, alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.HandlerFailedAgain.selector, item.requestId));
        source.retryCallback(item, 250_000);
        assertEq(source.pendingRequest(item.requestId).state, State.HANDLER_FAILED, "still failed");
    }

    function test_SECURITY_AReplayTellsTheCertifiedOutcomeAndNoOther() public {
        (Requester requester, OutcomeItem memory item) = _failed();
        requester.setFailing(false);
        item.returnData = hex"0b";
        vm.prank(alice, alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.OtherOutcome.selector, item.requestId));
        source.retryCallback(item, 250_000);
    }

    function test_SECURITY_AReplayHappensOnce() public {
        (Requester requester, OutcomeItem memory item) = _failed();
        requester.setFailing(false);
        // from within the callback, and again afterwards
        requester.addMove(abi.encodeCall(source.retryCallback, (item, 250_000)));
        vm.prank(alice, alice);
        source.retryCallback(item, 250_000);
        assertTrue(!requester.worked(0), "not from within");
        vm.prank(alice, alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.NotHandlerFailed.selector, item.requestId));
        source.retryCallback(item, 250_000);
        assertEq(requester.calls(), 1, "one call");
        deliver(item);
        onlyLog(vm.getRecordedLogs(), IXvmSource.XVMOutcomeSkipped.selector);
    }

    function test_SECURITY_AReplayIsNotStarvedAndNotByContracts() public {
        (Requester requester, OutcomeItem memory item) = _failed();
        requester.setFailing(false);
        vm.prank(alice, alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.CallbackGasTooLow.selector, 199_999, 200_000));
        source.retryCallback(item, 199_999);
        vm.prank(alice, alice);
        (bool success, bytes memory reason) =
            address(source).call{gas: 205_000}(abi.encodeCall(source.retryCallback, (item, 200_000)));
        assertTrue(!success, "too little gas");
        assertEq(
            reason, abi.encodeWithSelector(IXvmSource.InsufficientCallbackGas.selector, item.requestId), "the reason"
        );
        Middleman middleman = new Middleman();
        vm.prank(alice, alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.ContractCaller.selector, address(middleman)));
        middleman.retryCallback(source, item, 250_000);
    }

    function test_APendingRequestHasNoFailedHandler() public {
        (uint256 id,) = ask(increment(1));
        vm.prank(alice, alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.NotHandlerFailed.selector, id));
        source.retryCallback(outcome(id, Kind.EXECUTED, ""), 300_000);
    }

    // ---- re-entering

    /// @notice SECURITY: a handler may call whatever it likes and harms nobody.
    function test_SECURITY_AHandlerThatReentersHarmsNobody() public {
        Requester requester = _requester();
        uint256 id = _askBy(requester, 900_000);
        (uint256 other,) = ask(increment(1));
        OutcomeItem[] memory items = new OutcomeItem[](2);
        items[0] = outcome(id, Kind.EXPIRED, "");
        items[1] = outcome(other, Kind.EXECUTED, "");
        DeliverBatch[] memory batches = deliverBatch(items);
        requester.addMove(abi.encodeCall(source.deliver, (batches)));
        requester.addMove(abi.encodeCall(source.addFee, (id)));
        requester.addMove(abi.encodeCall(source.withdraw, (address(requester))));
        requester.addMove(abi.encodeCall(source.withdraw, (address(requester))));
        requester.addMove(abi.encodeCall(source.pendingRequest, (id)));
        requester.addMove(abi.encodeWithSignature("quote(uint256,uint256)", CHAIN, 0));
        uint256 before = address(requester).balance;
        deliver(batches);
        assertTrue(!requester.worked(0), "deliver is refused");
        assertTrue(!requester.worked(1), "its request is no longer pending");
        assertTrue(requester.worked(2), "its refund can be withdrawn at once");
        assertTrue(!requester.worked(3), "once");
        assertTrue(requester.worked(4) && requester.worked(5), "views answer");
        assertTrue(address(requester).balance > before, "refunded");
        assertEq(requester.calls(), 1, "one call");
        assertEq(echo.callbacks(), 1, "and the other is delivered");
        assertSolvent(0);
    }

    function test_AHandlerMayAskAgain() public {
        Requester requester = new Requester(IXvmGateway(address(source)));
        Options memory options;
        vm.deal(address(requester), 1 ether);
        vm.recordLogs();
        requester.ask(account(address(counter)), "", options);
        (uint256 id,) = lastRequest();
        assertEq(source.nonces(address(requester)), 1, "asked once");
        vm.deal(address(requester), 1 ether);
        requester.addMove(abi.encodeCall(source.addFee, (id)));
        deliver(outcome(id, Kind.EXECUTED, ""));
        vm.recordLogs();
        requester.ask(account(address(counter)), "", options);
        (uint256 next,) = lastRequest();
        assertTrue(next != id, "another nonce, another id");
    }

    // ---- pauses

    function test_PausedCallbacksAreRefusedAndDeadlinesStandStill() public {
        (uint256 id,) = ask(increment(1));
        (, OutcomeItem memory failed) = _failed();
        DeliverBatch[] memory batches = deliverBatch(outcome(id, Kind.EXECUTED, ""));
        uint256 deadline = source.pendingRequest(id).deadline;
        assertEq(deadline, HEIGHT + 120, "before");
        vm.prank(guardian);
        source.pause(Direction.CALLBACKS, 100);
        vm.roll(HEIGHT + 60);
        _deliveryReverts(
            batches, abi.encodeWithSelector(IXvmGateway.Paused.selector, Direction.CALLBACKS, HEIGHT + 100)
        );
        vm.prank(alice, alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.Paused.selector, Direction.CALLBACKS, HEIGHT + 100));
        source.retryCallback(failed, 250_000);
        assertEq(source.pendingRequest(id).deadline, deadline + 60, "it moves on with the height");
        (uint256 during,) = ask(increment(1));
        assertEq(source.pendingRequest(during).deadline, HEIGHT + 60 + 120, "asked during the pause");
        vm.roll(HEIGHT + 100);
        assertEq(source.pendingRequest(id).deadline, deadline + 100, "the whole pause");
        assertEq(source.pendingRequest(during).deadline, HEIGHT + 60 + 120 + 40, "what was left of the pause");
        vm.roll(HEIGHT + 150);
        assertEq(source.pendingRequest(id).deadline, deadline + 100, "and no longer");
        source.pause(Direction.CALLBACKS, 10);
        vm.roll(HEIGHT + 155);
        assertEq(source.pendingRequest(id).deadline, deadline + 105, "a second pause adds");
        source.unpause(Direction.CALLBACKS);
        vm.roll(HEIGHT + 170);
        assertEq(source.pendingRequest(id).deadline, deadline + 105, "lifted early");
        deliver(batches);
        assertTrue(echo.results(id).arrived, "open again");
    }

    function _assertSuccess(uint8 kind, bytes memory returnData, bool success) private {
        (uint256 id,) = ask(increment(1));
        deliver(outcome(id, kind, returnData));
        XvmEcho.Result memory result = echo.results(id);
        assertTrue(result.arrived, "arrived");
        assertTrue(result.success == success, "success");
        assertEq(result.returnData, returnData, "data");
    }

    function _asked(uint256 count) private returns (OutcomeItem[] memory items) {
        items = new OutcomeItem[](count);
        for (uint256 i = 0; i < count; ++i) {
            (uint256 id,) = ask(increment(i));
            items[i] = outcome(id, Kind.EXECUTED, abi.encode(i));
        }
    }

    function _requester() private returns (Requester requester) {
        requester = new Requester(IXvmGateway(address(source)));
        vm.deal(address(requester), 1 ether);
    }

    function _askBy(Requester requester, uint64 gasLimit) private returns (uint256 id) {
        Options memory options;
        options.callbackGasLimit = gasLimit;
        vm.recordLogs();
        requester.ask(account(address(counter)), "", options);
        (id,) = lastRequest();
    }

    function _failed() private returns (Requester requester, OutcomeItem memory item) {
        requester = _requester();
        requester.setFailing(true);
        item = outcome(_askBy(requester, 200_000), Kind.EXECUTED, hex"0a");
        deliver(item);
        assertEq(source.pendingRequest(item.requestId).state, State.HANDLER_FAILED, "failed");
    }

    function _deliveryReverts(DeliverBatch[] memory batches, bytes memory reason) private {
        vm.prank(relayer, relayer);
        vm.expectRevert(reason);
        source.deliver(batches);
    }
}
