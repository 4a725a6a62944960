// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {IXVMClient} from "../../src/client/IXVMClient.sol";
import {IXvmCallback} from "../../src/interfaces/IXvmCallback.sol";
import {IXvmSource} from "../../src/interfaces/IXvmSource.sol";
import {Mode, Options, Request, State} from "../../src/interfaces/XvmTypes.sol";
import {XvmHostileGateway} from "../../src/mock/XvmHostileGateway.sol";
import {MockTest} from "../mock/MockTest.sol";
import {Vm} from "../Vm.sol";
import {Asker} from "./Asker.sol";

contract ClientTest is MockTest {
    // ---- asking

    function test_ACallIsAnswered() public {
        uint256 id = call();
        (bool open, uint256 giveUpAfterBlock,) = asker.openRequest(id);
        assertTrue(open, "open");
        assertEq(giveUpAfterBlock, HEIGHT + TIMEOUT, "until");
        mock.deliver(id);
        (open, giveUpAfterBlock,) = asker.openRequest(id);
        assertTrue(!open, "answered");
        assertEq(giveUpAfterBlock, 0, "nothing kept");
        assertEq(asker.answers(), 1, "one answer");
        assertTrue(asker.last().success, "success");
        assertEq(asker.last().data, abi.encode(5), "returned");
        assertEq(counter.count(), 5, "executed");
    }

    function test_AQueryReadsAndLeavesNothing() public {
        uint256 id = query();
        assertEq(mock.requestOf(id).mode, Mode.QUERY, "mode");
        mock.deliver(id);
        assertEq(asker.last().data, abi.encode(0), "read");
    }

    function test_TheFullFormTakesOptionsAndAContext() public {
        Options memory options;
        options.callbackGasLimit = 234_567;
        options.metadata = hex"0102";
        uint256 id = asker.ask{value: 1 ether}(far(address(counter)), increment(1), options, "loan 7");
        Request memory request = mock.requestOf(id);
        assertEq(request.callbackGasLimit, 234_567, "gas");
        assertEq(request.metadata, hex"0102", "metadata");
        (,, bytes32 context) = asker.openRequest(id);
        assertEq(context, "loan 7", "kept");
        mock.deliver(id);
        assertEq(asker.last().context, "loan 7", "told with the answer");
    }

    function test_ItSpendsTheQuoteAndTheRestGoesBack() public {
        (uint256 priceOfCall, uint256 priceOfQuery) = asker.quotes(FAR, address(counter), 36);
        uint256 before = address(this).balance;
        call();
        assertEq(before - address(this).balance, priceOfCall, "the call's price");
        before = address(this).balance;
        query();
        assertEq(before - address(this).balance, priceOfQuery, "the query's price");
        assertEq(address(asker).balance, 0, "nothing stays");
    }

    function test_ItPaysFromItsOwnBalanceWithinABudget() public {
        (uint256 price,) = asker.quotes(FAR, address(counter), 36);
        vm.deal(address(asker), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(IXVMClient.FeeAboveBudget.selector, price, price - 1));
        asker.callAtOwnExpense(FAR, address(counter), increment(5), price - 1);
        asker.callAtOwnExpense(FAR, address(counter), increment(5), price);
        assertEq(address(asker).balance, 1 ether - price, "paid");
        assertEq(asker.lastCost(), price, "cost");
    }

    function test_SECURITY_MoneyComesFromTheGatewayAlone() public {
        vm.deal(alice, 1 ether);
        vm.prank(alice);
        (bool taken, bytes memory reason) = address(asker).call{value: 1}("");
        assertTrue(!taken, "refused");
        assertEq(reason, abi.encodeWithSelector(IXVMClient.NotGateway.selector, alice), "reason");
    }

    function test_ItWantsAGateway() public {
        bytes memory code = bytes.concat(vm.getCode("Asker.sol:Asker"), abi.encode(address(0), TIMEOUT));
        address made;
        assembly ("memory-safe") {
            made := create(0, add(code, 32), mload(code))
        }
        assertEq(made, address(0), "no client without a gateway");
    }

    function test_ItTellsItsInterfaces() public view {
        assertTrue(asker.supportsInterface(type(IERC165).interfaceId), "ERC-165");
        assertTrue(asker.supportsInterface(type(IXvmCallback).interfaceId), "callback");
        assertTrue(asker.supportsInterface(type(IXVMClient).interfaceId), "client");
        assertTrue(!asker.supportsInterface(0xffffffff), "not everything");
        assertEq(asker.gateway(), address(mock), "gateway");
        assertEq(asker.timeoutBlocks(), TIMEOUT, "timeout");
    }

    // ---- giving up

    function test_SECURITY_NobodyGivesUpBeforeTheTimeout() public {
        uint256 id = call();
        vm.roll(HEIGHT + TIMEOUT);
        vm.expectRevert(abi.encodeWithSelector(IXVMClient.TooEarlyToGiveUp.selector, id, HEIGHT + TIMEOUT));
        asker.giveUp(id);
    }

    function test_SECURITY_ASilenceEndsOnceAndALateAnswerIsIgnored() public {
        uint256 id = call();
        vm.roll(HEIGHT + TIMEOUT + 1);
        vm.prank(alice);
        vm.recordLogs();
        asker.giveUp(id);
        assertEq(onlyLog(IXVMClient.XVMGivenUp.selector).data, abi.encode(alice), "by anyone");
        assertEq(asker.givenUp(), 1, "put right");
        vm.expectRevert(abi.encodeWithSelector(IXVMClient.NotOpen.selector, id));
        asker.giveUp(id);
        vm.recordLogs();
        mock.deliver(id);
        assertEq(uint256(onlyLog(IXVMClient.XVMAnswerIgnored.selector).topics[1]), id, "ignored");
        assertEq(asker.answers(), 0, "no answer");
        assertEq(mock.pendingRequest(id).state, State.NONE, "and no failed handler");
    }

    function test_SECURITY_WhatWasAnsweredIsNotGivenUp() public {
        uint256 id = call();
        mock.deliver(id);
        vm.roll(HEIGHT + TIMEOUT + 1);
        vm.expectRevert(abi.encodeWithSelector(IXVMClient.NotOpen.selector, id));
        asker.giveUp(id);
        assertEq(asker.givenUp(), 0, "nothing to put right");
    }

    function test_CancellingGivesUpAndBringsTheCallbackShareBack() public {
        uint256 id = call();
        Request memory request = mock.requestOf(id);
        vm.expectRevert(abi.encodeWithSelector(IXVMClient.TooEarlyToGiveUp.selector, id, HEIGHT + TIMEOUT));
        asker.cancelRequest(request);
        vm.roll(HEIGHT + TIMEOUT + 1);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.ExpiryNotOver.selector, request.expiry + 5 minutes));
        asker.cancelRequest(request);
        assertEq(asker.givenUp(), 0, "all or nothing");
        vm.warp(request.expiry + 5 minutes + 1);
        asker.cancelRequest(request);
        assertEq(asker.givenUp(), 1, "given up");
        assertEq(address(asker).balance, 0.0002 ether, "the callback share");
        mock.expire(id);
        assertEq(asker.answers(), 0, "no callback follows");
        uint256 credit = mock.credits(address(asker));
        assertEq(credit, 0.0003 ether * 8 / 10, "the execution share but for its fixed part");
        assertEq(asker.collectCredit(), credit, "collected");
        assertEq(address(asker).balance, 0.0002 ether + credit, "in its balance");
    }

    function test_WhatWasGivenUpIsCancelledLater() public {
        uint256 id = query();
        vm.roll(HEIGHT + TIMEOUT + 1);
        asker.giveUp(id);
        asker.cancelRequest(mock.requestOf(id));
        assertEq(asker.givenUp(), 1, "once");
        assertEq(address(asker).balance, 0.0002 ether, "the callback share");
    }

    function test_AHandlerThatFailsKeepsTheRequestOpenForAReplay() public {
        uint256 id = call();
        asker.setFailing(true);
        mock.deliver(id);
        assertEq(mock.pendingRequest(id).state, State.HANDLER_FAILED, "replayable");
        (bool open,,) = asker.openRequest(id);
        assertTrue(open, "nothing has happened");
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.HandlerFailedAgain.selector, id));
        mock.retryCallback(id, 300_000);
        asker.setFailing(false);
        mock.retryCallback(id, 300_000);
        assertEq(asker.answers(), 1, "answered");
        assertEq(asker.last().data, abi.encode(5), "with what the call returned");
    }

    // ---- strangers and cheats

    function test_SECURITY_OnlyTheGatewayCallsBack() public {
        uint256 id = call();
        vm.expectRevert(abi.encodeWithSelector(IXVMClient.NotGateway.selector, address(this)));
        asker.xvmCallback(id, true, "");
        vm.recordLogs();
        mock.callBackFromElsewhere(address(asker), id, true, abi.encode(1));
        _assertAttempted(id, false);
        assertEq(asker.answers(), 0, "no answer");
    }

    function test_SECURITY_ARequestThatTargetsACallbackForgesNothing() public {
        uint256 id = call();
        uint256 forged = asker.call{value: 1 ether}(
            FAR, address(asker), abi.encodeCall(IXvmCallback.xvmCallback, (id, true, abi.encode(1)))
        );
        mock.deliver(forged);
        assertEq(asker.answers(), 1, "the forging request's own answer");
        assertTrue(!asker.last().success, "which is a failure");
        (bool open,,) = asker.openRequest(id);
        assertTrue(open, "the other still waits");
    }

    function test_SECURITY_ASecondAnswerIsIgnored() public {
        uint256 id = call();
        mock.callBackTwice(id, true, abi.encode(666));
        assertEq(asker.answers(), 1, "one answer");
        assertEq(asker.last().data, abi.encode(5), "the first");
    }

    function test_SECURITY_AnAnswerToNothingIsIgnored() public {
        vm.recordLogs();
        mock.callBack(address(asker), 77, true, abi.encode(1));
        assertEq(uint256(onlyLog(IXVMClient.XVMAnswerIgnored.selector).topics[1]), 77, "ignored");
        assertEq(asker.answers(), 0, "no answer");
    }

    function test_SECURITY_AnAnswerBeforeTheQuestionIsIgnored() public {
        mock.answerAtOnce(true, abi.encode(666));
        uint256 id = call();
        assertEq(asker.answers(), 0, "ignored");
        mock.deliver(id);
        assertEq(asker.last().data, abi.encode(5), "the true answer");
    }

    function test_SECURITY_AMegabyteNeitherAnswersNorCloses() public {
        uint256 id = call();
        vm.recordLogs();
        mock.flood(id, 1 << 20);
        _assertAttempted(id, false);
        mock.deliver(id);
        assertEq(asker.last().data, abi.encode(5), "the true answer");
    }

    function test_SECURITY_AStarvedHandlerLosesNothing() public {
        uint256 id = call();
        mock.starve(id, 10_000);
        assertEq(mock.pendingRequest(id).state, State.HANDLER_FAILED, "replayable");
        assertEq(asker.answers(), 0, "not answered");
        mock.retryCallback(id, 300_000);
        assertEq(asker.last().data, abi.encode(5), "answered in full");
    }

    function test_TheBaseTakesLittleOfTheCallbackGas() public {
        Options memory options;
        options.callbackGasLimit = 300_000;
        uint256 id = asker.ask{value: 1 ether}(far(address(counter)), increment(1), options, "context");
        mock.deliver(id);
        assertTrue(asker.gasAtEntry() > 285_000, "less than 15,000");
    }

    function _assertAttempted(uint256 id, bool accepted) private {
        Vm.Log memory log = onlyLog(XvmHostileGateway.Attempted.selector);
        assertEq(uint256(log.topics[2]), id, "about the request");
        assertEq(log.data, abi.encode(accepted), "whether the client took it");
    }
}
