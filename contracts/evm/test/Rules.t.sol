// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmDestination} from "../src/interfaces/IXvmDestination.sol";
import {IXvmGateway} from "../src/interfaces/IXvmGateway.sol";
import {IXvmRoutes} from "../src/interfaces/IXvmRoutes.sol";
import {IXvmSource} from "../src/interfaces/IXvmSource.sol";
import {Direction, Kind, Options, Request, State} from "../src/interfaces/XvmTypes.sol";
import {RequestHash} from "../src/libraries/RequestHash.sol";
import {Requester} from "./Actors.sol";
import {GatewayTest} from "./GatewayTest.sol";
import {Vm} from "./Vm.sol";

/// @notice Rules of the protocol that reach over several calls, or over both sides.
contract RulesTest is GatewayTest {
    uint256 private constant EXECUTION_SHARE = (500_000 + 60_000 + 36 * 40) * 3e9;

    Requester private requester;

    function setUp() public override {
        super.setUp();
        requester = new Requester(IXvmGateway(address(source)));
        vm.deal(address(requester), 1 ether);
    }

    // ---- late outcomes

    /// @notice A call that was executed, given up, and asked for again: it ran once, its payee is paid, and its asker hears of it once.
    function test_ARetryOfAnExecutedCallEndsAsItsDuplicateAndSucceeds() public {
        (uint256 first, Request memory request) = _ask();
        execute(request);
        _pass(request);
        (uint256 second, Request memory again) = _retry(request);
        vm.warp(START + 50);
        execute(again);
        bytes memory earlier = abi.encode(slotWord(Kind.EXECUTED, first));
        assertConcluded(second, Kind.DUPLICATE, false, earlier);

        deliver(outcome(first, Kind.EXECUTED, abi.encode(5)));
        onlyLog(vm.getRecordedLogs(), IXvmSource.XVMCancelledConcluded.selector);
        assertEq(requester.calls(), 0, "the attempt given up calls nothing");
        assertEq(source.credits(worker), EXECUTION_SHARE, "its payee is paid in full");

        deliver(outcome(second, Kind.DUPLICATE, earlier));
        Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IXvmSource.XVMCallbackDelivered.selector);
        assertEq(
            log.data, abi.encode(Kind.DUPLICATE, true, keccak256(earlier), relayer), "with the success of the first"
        );
        assertEq(requester.calls(), 1, "heard of once");
        assertEq(counter.count(), 5, "ran once");
        assertSolvent(source.credits(address(requester)));
    }

    function test_EveryLateOutcomePaysItsPartAndCallsNothing(uint8 kind) public {
        kind = uint8(bound(kind, Kind.EXECUTED, Kind.DUPLICATE));
        (uint256 id, Request memory request) = _ask();
        uint256 fee = feeOf(id);
        _pass(request);
        uint256 returned = fee - _cancel(id, request);
        deliver(outcome(id, kind, kind == Kind.DUPLICATE ? abi.encode(slotWord(Kind.EXECUTED, 7)) : bytes("")));
        Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IXvmSource.XVMCancelledConcluded.selector);
        assertEq(log.data, abi.encode(kind, relayer), "event");
        assertEq(requester.calls(), 0, "nothing is called");
        assertEq(source.credits(relayer), 0, "the callback share is gone");
        uint256 back = source.credits(address(requester));
        bool isFixed = kind == Kind.EXPIRED || kind == Kind.DUPLICATE;
        assertTrue(isFixed == (back != 0), "only these return a part of the execution share");
        assertEq(source.credits(worker) + back, EXECUTION_SHARE, "and the payee has the rest");
        assertEq(returned + EXECUTION_SHARE + source.uncollected(relayer), fee, "to the wei");
        assertSolvent(source.credits(address(requester)));
    }

    function test_SECURITY_AnOutcomeAfterAReclaimPaysNobodyTwice(uint8 kind) public {
        (uint256 id, Request memory request) = _ask();
        _pass(request);
        uint256 left = _cancel(id, request);
        vm.warp(block.timestamp + 7 days);
        source.reclaim(id);
        assertEq(source.credits(address(requester)), left, "all of the rest");
        deliver(outcome(id, uint8(bound(kind, 0, 4)), ""));
        onlyLog(vm.getRecordedLogs(), IXvmSource.XVMOutcomeSkipped.selector);
        assertEq(source.credits(worker) + source.credits(relayer) + source.uncollected(relayer), 0, "nobody");
        assertEq(requester.calls(), 0, "nothing is called");
        vm.prank(address(requester));
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.NotPending.selector, id));
        source.retry(request, 0, 0);
        assertSolvent(source.credits(address(requester)));
    }

    function test_ALateOutcomeIsPaidUpToTheLastMomentBeforeAReclaim() public {
        (uint256 id, Request memory request) = _ask();
        _pass(request);
        _cancel(id, request);
        vm.warp(block.timestamp + 365 days - 10 days);
        deliver(outcome(id, Kind.EXECUTED, ""));
        assertEq(source.credits(worker), EXECUTION_SHARE, "paid while nobody reclaimed");
    }

    // ---- attempts

    function test_SECURITY_EveryAttemptOfACallNamesTheFirstAndOneOfThemRuns(uint8 order) public {
        Request[] memory attempts = new Request[](4);
        uint256[] memory ids = new uint256[](4);
        (ids[0], attempts[0]) = _ask();
        for (uint256 i = 1; i < attempts.length; ++i) {
            _pass(attempts[i - 1]);
            (ids[i], attempts[i]) = _retry(attempts[i - 1]);
            assertEq(attempts[i].origin, ids[0], "the first attempt");
        }
        // the destination's clock stands behind: there none has expired
        vm.warp(START);
        for (uint256 i = 0; i < attempts.length; ++i) {
            execute(attempts[(i + order) % attempts.length]);
        }
        assertEq(counter.count(), 5, "one ran");
        uint256 ran = ids[order % attempts.length];
        assertEq(destination.consumed(ids[0]), slotWord(Kind.EXECUTED, ran), "the first attempt's slot names it");
        for (uint256 i = 1; i < ids.length; ++i) {
            bytes32 expected = ids[i] == ran ? bytes32(0) : slotWord(Kind.DUPLICATE, ids[i]);
            assertEq(destination.consumed(ids[i]), expected, "the others are duplicates");
        }
    }

    /// @dev No gateway of this version asks for an ordered retry; another source gateway may.
    function test_ADuplicateWaitsForNoPredecessor() public {
        (uint256 first, Request memory request) = ask(increment(5));
        (uint256 open,) = ask(increment(1));
        (, Request memory again) = ask(increment(5));
        again.origin = first;
        again.orderedAfter = open;
        execute(again);
        assertSkipped(RequestHash.id(again), IXvmDestination.PredecessorOpen.selector);
        execute(request);
        execute(again);
        assertConcluded(RequestHash.id(again), Kind.DUPLICATE, false, abi.encode(slotWord(Kind.EXECUTED, first)));
    }

    // ---- pauses

    function test_NoPauseStopsMoneyFromGoingBack() public {
        (uint256 cancelled, Request memory given) = _ask();
        (uint256 late, Request memory request) = _ask();
        (uint256 open,) = _ask();
        (uint256 done,) = ask(increment(1));
        deliver(outcome(done, Kind.EXECUTED, ""));
        _pass(request);
        _cancel(cancelled, given);
        for (uint8 d = 0; d < 3; ++d) {
            source.pause(Direction(d), MAX_PAUSE);
            destination.pause(Direction(d), MAX_PAUSE);
        }
        sourceRoutes.pauseOutbound(chain(), MAX_PAUSE);
        destinationRoutes.pauseInbound(account(address(source)), MAX_PAUSE);
        vm.warp(block.timestamp + 7 days);

        source.reclaim(cancelled);
        assertTrue(source.credits(address(requester)) > 0, "reclaim");
        requester.withdraw(address(requester));
        assertEq(source.credits(address(requester)), 0, "withdraw");
        _cancel(late, request);
        assertEq(source.pendingRequest(late).state, State.CANCELLED, "cancel");
        source.addFee{value: 1}(open);
        address[] memory deliverers = new address[](1);
        deliverers[0] = relayer;
        source.collectForSigners(deliverers);
        source.paySigners(address(sourceVerifier), 1);
        vm.recordLogs();
        destination.expire(expireBatch(request), payeeWord(worker));
        assertConcluded(late, Kind.EXPIRED, false, "");
        vm.prank(address(requester));
        vm.expectRevert(
            abi.encodeWithSelector(IXvmGateway.Paused.selector, Direction.REQUESTS, block.number + MAX_PAUSE)
        );
        source.retry(request, 0, 0);
    }

    function test_APausedRouteOrDirectionOtherThanCallbacksMovesNoDeadline() public {
        (uint256 id, Request memory request) = _ask();
        uint256 deadline = source.pendingRequest(id).deadline;
        source.pause(Direction.REQUESTS, MAX_PAUSE);
        source.pause(Direction.EXECUTIONS, MAX_PAUSE);
        sourceRoutes.pauseOutbound(chain(), MAX_PAUSE);
        vm.roll(deadline);
        assertEq(source.pendingRequest(id).deadline, deadline, "as it was");
        _pass(request);
        _cancel(id, request);
    }

    function test_ARoutesPausesLapseByThemselves() public {
        (uint256 id, Request memory request) = _ask();
        vm.prank(guardian);
        sourceRoutes.pauseOutbound(chain(), 7);
        vm.prank(guardian);
        destinationRoutes.pauseInbound(account(address(source)), 7);
        vm.roll(HEIGHT + 6);
        Options memory options;
        vm.prank(alice, alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmRoutes.RoutePaused.selector, HEIGHT + 7));
        source.xvmExecute{value: 1 ether}(account(address(counter)), "", options);
        execute(request);
        assertSkipped(id, IXvmDestination.InboundPaused.selector);
        vm.roll(HEIGHT + 7);
        askAsEoa(increment(1));
        execute(request);
        assertConcluded(id, Kind.EXECUTED, false, abi.encode(5));
    }

    function test_OneDirectionsPauseStopsNoOther() public {
        (uint256 id, Request memory request) = _ask();
        source.pause(Direction.REQUESTS, 10);
        source.pause(Direction.EXECUTIONS, 10);
        destination.pause(Direction.REQUESTS, 10);
        destination.pause(Direction.CALLBACKS, 10);
        execute(request);
        assertConcluded(id, Kind.EXECUTED, false, abi.encode(5));
        deliver(outcome(id, Kind.EXECUTED, abi.encode(5)));
        assertEq(requester.calls(), 1, "called back");
    }

    function _ask() private returns (uint256, Request memory) {
        Options memory options;
        vm.recordLogs();
        requester.ask(account(address(counter)), increment(5), options);
        return lastRequest();
    }

    function _retry(Request memory request) private returns (uint256, Request memory) {
        vm.deal(address(requester), 1 ether);
        vm.recordLogs();
        vm.prank(address(requester));
        source.retry{value: 1 ether}(request, 0, 0);
        return lastRequest();
    }

    /// @dev What is left of the fee.
    function _cancel(uint256 id, Request memory request) private returns (uint256) {
        vm.prank(address(requester));
        source.cancel(request);
        return source.pendingRequest(id).fee;
    }

    /// @dev To the first moment at which it may be cancelled, or later.
    function _pass(Request memory request) private {
        vm.roll(block.number + 121);
        vm.warp(request.expiry + 5 minutes + 1);
    }
}
