// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmRoutes} from "../src/interfaces/IXvmRoutes.sol";
import {IXvmSource} from "../src/interfaces/IXvmSource.sol";
import {Kind, Mode, Options, Request, State} from "../src/interfaces/XvmTypes.sol";
import {GatewayTest} from "./GatewayTest.sol";

contract RetryTest is GatewayTest {
    function test_ARetryCancelsAndCopiesAllButNonceExpiryAndOrigin() public {
        (uint256 id, Request memory request) = askAsEoa(increment(1));
        _pass(request);
        (uint256 next, Request memory again) = _retry(request, 0);
        assertEq(source.pendingRequest(id).state, State.CANCELLED, "the earlier is cancelled");
        assertEq(source.pendingRequest(next).state, State.PENDING, "the later is pending");
        assertEq(again.origin, id, "origin");
        assertEq(again.nonce, 1, "nonce");
        assertEq(again.expiry, request.expiry + 301 + 100, "expiry");
        (again.origin, again.nonce, again.expiry) = (request.origin, request.nonce, request.expiry);
        assertEq(abi.encode(again), abi.encode(request), "all else");
        assertSolvent(feeOf(id) + feeOf(next));
    }

    function test_ARetryOfARetryNamesTheFirstAttempt() public {
        (uint256 id, Request memory request) = askAsEoa(increment(1));
        _pass(request);
        (, Request memory second) = _retry(request, 0);
        vm.roll(HEIGHT + 500);
        vm.warp(second.expiry + 301);
        (, Request memory third) = _retry(second, uint64(second.expiry + 800));
        assertEq(third.origin, id, "the first attempt");
        assertEq(third.expiry, second.expiry + 800, "the expiry asked for");
    }

    function test_ACancelledRequestIsRetriedToo() public {
        (uint256 id, Request memory request) = askAsEoa(increment(1));
        _pass(request);
        vm.prank(alice);
        source.cancel(request);
        (, Request memory again) = _retry(request, 0);
        assertEq(again.origin, id, "origin");
    }

    function test_SECURITY_OnlyTheRequesterRetries() public {
        (, Request memory request) = askAsEoa(increment(1));
        _pass(request);
        vm.deal(relayer, 1 ether);
        vm.prank(relayer);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.NotRequester.selector, relayer));
        source.retry{value: 1 ether}(request, 0, 0);
        vm.prank(alice);
        source.cancel(request);
        vm.prank(relayer);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.NotRequester.selector, relayer));
        source.retry{value: 1 ether}(request, 0, 0);
    }

    function test_ARetryWaitsAsACancelDoes() public {
        (, Request memory request) = askAsEoa(increment(1));
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.DeadlineNotOver.selector, HEIGHT + 120));
        source.retry{value: 1 ether}(request, 0, 0);
    }

    function test_DeliveredRequestsAreNotRetried() public {
        (uint256 id, Request memory request) = askAsEoa(increment(1));
        deliver(outcome(id, Kind.EXECUTED, ""));
        _pass(request);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.NotPending.selector, id));
        source.retry{value: 1 ether}(request, 0, 0);
    }

    function test_QueriesAndOrderedRequestsAreNotRetried() public {
        Options memory options;
        options.ordered = true;
        (uint256 id, Request memory request) = askBy(echo, address(counter), increment(1), options);
        _pass(request);
        vm.prank(address(echo));
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.NotRetriable.selector, id));
        source.retry(request, 0, 0);
        options.ordered = false;
        options.mode = Mode.QUERY;
        (id, request) = askBy(echo, address(counter), increment(1), options);
        vm.prank(address(echo));
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.NotRetriable.selector, id));
        source.retry(request, 0, 0);
    }

    function test_SECURITY_ARetryDoesNotMoveToAnotherGateway() public {
        (, Request memory request) = askAsEoa(increment(1));
        _pass(request);
        IXvmRoutes.Outbound memory moved = route();
        moved.destinationGateway = account(address(0x99));
        sourceRoutes.setOutbound(chain(), moved);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.RouteMoved.selector));
        source.retry{value: 1 ether}(request, 0, 0);
    }

    function test_ARetryIsPaidAnew() public {
        (, Request memory request) = askAsEoa(increment(1));
        _pass(request);
        Options memory options;
        uint256 fee = source.quote(request.target, request.payload.length, options);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.InsufficientFee.selector, fee, fee - 1));
        source.retry{value: fee - 1}(request, 0, 0);
    }

    /// @notice SECURITY: whichever attempt comes first, one of them runs.
    function test_SECURITY_TheAttemptsOfARequestRunOnce(bool firstComes) public {
        (uint256 id, Request memory request) = askAsEoa(increment(1));
        // the destination's clock stands behind: there the first attempt has not expired
        _pass(request);
        (uint256 next, Request memory again) = _retry(request, 0);
        vm.warp(START);
        execute(firstComes ? request : again);
        execute(firstComes ? again : request);
        assertEq(counter.count(), 1, "once");
        if (firstComes) assertConcluded(next, Kind.DUPLICATE, false, abi.encode(slotWord(Kind.EXECUTED, id)));
    }

    function _retry(Request memory request, uint64 expiry) private returns (uint256, Request memory) {
        vm.recordLogs();
        vm.prank(alice, alice);
        source.retry{value: 1 ether}(request, expiry, 0);
        return lastRequest();
    }

    function _pass(Request memory request) private {
        vm.roll(HEIGHT + 121);
        vm.warp(request.expiry + 301);
    }
}
