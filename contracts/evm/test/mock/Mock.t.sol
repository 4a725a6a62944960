// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {XvmCounter} from "../../src/examples/XvmCounter.sol";
import {IXvmDestination} from "../../src/interfaces/IXvmDestination.sol";
import {IXvmGateway} from "../../src/interfaces/IXvmGateway.sol";
import {IXvmSource} from "../../src/interfaces/IXvmSource.sol";
import {Kind, Options, State} from "../../src/interfaces/XvmTypes.sol";
import {IXvmMockGateway} from "../../src/mock/IXvmMockGateway.sol";
import {MockTest} from "./MockTest.sol";

/// @notice A target that has its own request delivered while it runs.
contract Impatient {
    IXvmMockGateway public immutable mock;
    bool public worked;

    constructor(IXvmMockGateway mock_) {
        mock = mock_;
    }

    function touch() external {
        (worked,) = address(mock).call(abi.encodeCall(IXvmMockGateway.deliver, (mock.lastRequestId())));
    }
}

contract MockGatewayTest is MockTest {
    function test_AnAnswerIsWhateverTheTestSays() public {
        uint256 id = call();
        mock.deliverWith(id, true, abi.encode(77));
        assertEq(asker.last().data, abi.encode(77), "said");
        assertEq(counter.count(), 0, "the target was not called");
        id = call();
        mock.deliverWith(id, false, "no");
        assertTrue(!asker.last().success, "failed");
        id = call();
        bytes memory reason = abi.encodeWithSelector(XvmCounter.Refused.selector, 3);
        mock.revertWith(id, reason);
        assertEq(asker.last().data, reason, "reason");
    }

    function test_SaidAnswersAreCutAtTheRequestsLimit() public {
        uint256 id = call();
        mock.deliverWith(id, true, new bytes(5000));
        assertEq(asker.last().data.length, 1024, "cut");
    }

    function test_CallsExpireAndTargetsAreMissed() public {
        uint256 id = call();
        mock.expire(id);
        assertTrue(!asker.last().success && asker.last().data.length == 0, "expired");
        assertEq(uint8(mock.consumed(id)[0]), Kind.EXPIRED, "receipt");
        id = query();
        vm.expectRevert(abi.encodeWithSelector(IXvmMockGateway.WrongMode.selector));
        mock.expire(id);
        mock.unreach(id);
        assertTrue(!asker.last().success && asker.last().data.length == 0, "unreached");
        id = asker.query{value: 1 ether}(FAR, alice, hex"01020304");
        mock.deliver(id);
        assertTrue(!asker.last().success, "no code there");
        assertEq(asker.answers(), 3, "each told");
    }

    function test_AnswersComeInAnyOrder() public {
        uint256[] memory ids = new uint256[](2);
        (ids[1], ids[0]) = (call(), call());
        mock.deliverInOrder(ids);
        assertEq(asker.last().data, abi.encode(10), "the first to be asked was the last to be executed");
        uint256 third = call();
        query();
        mock.delay(third, 5);
        mock.deliverPending();
        assertEq(asker.answers(), 3, "all but the delayed");
        vm.expectRevert(abi.encodeWithSelector(IXvmMockGateway.Delayed.selector, third, HEIGHT + 5));
        mock.deliver(third);
        vm.roll(HEIGHT + 5);
        mock.deliverPending();
        assertEq(asker.answers(), 4, "all");
    }

    function test_WhatWasExecutedMayBeToldLater() public {
        uint256 id = call();
        mock.execute(id);
        assertEq(counter.count(), 5, "executed");
        assertEq(asker.answers(), 0, "not told");
        vm.expectRevert(abi.encodeWithSelector(IXvmMockGateway.Concluded.selector, id));
        mock.execute(id);
        vm.expectRevert(abi.encodeWithSelector(IXvmMockGateway.Concluded.selector, id));
        mock.expire(id);
        mock.deliver(id);
        assertEq(asker.last().data, abi.encode(5), "told");
        assertEq(counter.count(), 5, "and executed once");
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.NotPending.selector, id));
        mock.deliver(id);
    }

    function test_TargetsSeeTheExecutorAndWhoAsks() public {
        uint256 id = call();
        vm.recordLogs();
        mock.deliver(id);
        assertEq(
            onlyLog(XvmCounter.Incremented.selector).data,
            abi.encode(5, mock.executor(), id, mock.requestOf(id).sender),
            "the executor, the id and the asker"
        );
        (uint256 current, bytes memory sender) = gateway.currentRequest();
        assertTrue(current == 0 && sender.length == 0, "and nothing afterwards");
    }

    function test_OwnAccountsCallFromWhereTheySay() public {
        Options memory options;
        options.ownAccount = true;
        uint256 id = asker.ask{value: 1 ether}(far(address(counter)), increment(5), options, 0);
        address own = mock.accountOf(mock.requestOf(id).sender);
        vm.recordLogs();
        mock.deliver(id);
        assertEq(onlyLog(XvmCounter.Incremented.selector).data, abi.encode(5, own, 0, ""), "the account");
        id = asker.ask{value: 1 ether}(far(address(counter)), increment(5), options, 0);
        vm.recordLogs();
        mock.deliver(id);
        assertEq(onlyLog(XvmCounter.Incremented.selector).data, abi.encode(10, own, 0, ""), "the same account");
    }

    function test_OrderedRequestsWaitForEachOther() public {
        Options memory options;
        options.ordered = true;
        uint256 first = asker.ask{value: 1 ether}(far(address(counter)), increment(5), options, 0);
        uint256 second = asker.ask{value: 1 ether}(far(address(counter)), increment(6), options, 0);
        assertEq(mock.requestOf(first).orderedAfter, 1, "the first");
        assertEq(mock.requestOf(second).orderedAfter, first, "after the first");
        vm.expectRevert(abi.encodeWithSelector(IXvmDestination.PredecessorOpen.selector));
        mock.deliver(second);
        mock.deliver(first);
        mock.deliver(second);
        assertEq(counter.count(), 11, "both");
    }

    function test_ATargetOfAnotherVmIsAnsweredByTheTest() public {
        Options memory options;
        bytes memory program = bytes.concat(hex"00010002", hex"04", "main", hex"20", new bytes(32));
        uint256 id = asker.ask{value: 1 ether}(program, hex"01", options, 0);
        vm.expectRevert(abi.encodeWithSelector(IXvmMockGateway.NotAnEvmTarget.selector, program));
        mock.deliver(id);
        mock.deliverWith(id, true, hex"beef");
        assertEq(asker.last().data, hex"beef", "said");
    }

    function test_ATargetHasNothingRelayed() public {
        Impatient impatient = new Impatient(mock);
        uint256 id = asker.call{value: 1 ether}(FAR, address(impatient), abi.encodeCall(Impatient.touch, ()));
        mock.deliver(id);
        assertTrue(!impatient.worked(), "refused");
        assertEq(asker.answers(), 1, "one answer");
    }

    function test_ThePriceIsTheTests() public {
        mock.setPrice(3, 2, 1);
        assertEq(gateway.quote(FAR, 36), 6, "a call");
        uint256 id = query();
        assertEq(mock.pendingRequest(id).fee, 3, "a query");
        vm.deal(alice, 1 ether);
        vm.prank(alice);
        mock.deliver(id);
        assertEq(mock.credits(alice), 3, "whoever delivers earns it");
        vm.prank(alice);
        gateway.withdraw(alice);
        assertEq(alice.balance, 1 ether + 3, "paid out");
    }

    function test_RequestsAreListed() public {
        uint256 first = call();
        uint256 second = query();
        assertEq(mock.lastRequestId(), second, "the youngest");
        assertEq(mock.requestIds()[0], first, "in order");
        assertEq(mock.requestIds().length, 2, "all");
        gateway.addFee{value: 1 ether}(second);
        assertEq(mock.pendingRequest(second).fee, 1 ether + 0.0003 ether, "topped up");
        assertEq(mock.pendingRequest(second).state, State.PENDING, "pending");
    }
}
