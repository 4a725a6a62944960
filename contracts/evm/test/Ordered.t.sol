// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {XvmCounter} from "../src/examples/XvmCounter.sol";
import {XvmEcho} from "../src/examples/XvmEcho.sol";
import {IXvmDestination} from "../src/interfaces/IXvmDestination.sol";
import {IXvmSource} from "../src/interfaces/IXvmSource.sol";
import {Kind, Options, Request, RequestByHash} from "../src/interfaces/XvmTypes.sol";
import {GatewayTest} from "./GatewayTest.sol";
import {Vm} from "./Vm.sol";

contract OrderedTest is GatewayTest {
    function test_OrderedRequestsFormAChainPerSenderAndRoute() public {
        (uint256 first, Request memory a) = _askOrdered(echo, 0);
        ask(increment(1));
        (uint256 second, Request memory b) = _askOrdered(echo, 0);
        (, Request memory c) = _askOrdered(echo, 0);
        assertEq(a.orderedAfter, 1, "the first");
        assertEq(b.orderedAfter, first, "after the first");
        assertEq(c.orderedAfter, second, "after the second");
        XvmEcho other = newEcho();
        vm.deal(address(other), 1 ether);
        (uint256 id, Request memory d) = _askOrdered(other, 0);
        assertEq(d.orderedAfter, 1, "another sender, another chain");
        bytes32 routeHash = keccak256(bytes.concat(account(address(source)), account(address(destination))));
        (uint256 last, uint64 expiry) = source.lastOrdered(address(other), routeHash);
        assertEq(last, id, "the last");
        assertEq(expiry, d.expiry, "its expiry");
    }

    function test_SECURITY_AnOrderedRequestNeverExpiresBeforeItsPredecessor() public {
        _askOrdered(echo, uint64(START + 900));
        (, Request memory byDefault) = _askOrdered(echo, 0);
        assertEq(byDefault.expiry, START + 900, "a default expiry waits");
        Options memory options;
        options.ordered = true;
        options.expiry = uint64(START + 899);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.ExpiryBeforePredecessor.selector, START + 899, START + 900));
        echo.ask(account(address(counter)), "", options);
    }

    function test_SECURITY_ARequestWaitsForItsPredecessor() public {
        (, Request memory a) = _askOrdered(echo, 0);
        (uint256 id, Request memory b) = _askOrdered(echo, 0);
        execute(b);
        assertSkipped(id, IXvmDestination.PredecessorOpen.selector);
        assertEq(destination.consumed(id), 0, "nothing is written");
        execute(a);
        execute(b);
        assertConcluded(id, Kind.EXECUTED, false, abi.encode(2));
    }

    function test_AChainRunsInOneBatchAndPastFailures() public {
        Request[] memory requests = new Request[](3);
        (, requests[0]) = _askOrdered(echo, 0);
        Options memory options;
        options.ordered = true;
        (, requests[1]) = askBy(echo, address(counter), abi.encodeCall(XvmCounter.fail, (1)), options);
        (, requests[2]) = _askOrdered(echo, 0);
        execute(executeBatch(requests));
        assertEq(countLogs(vm.getRecordedLogs(), IXvmDestination.XVMCallConcluded.selector), 3, "all three");
        assertEq(counter.count(), 2, "two succeeded");
    }

    function test_AnExpiredPredecessorIsNoLongerWaitedFor() public {
        (, Request memory a) = _askOrdered(echo, 0);
        (uint256 id, Request memory b) = _askOrdered(echo, uint64(START + 500));
        vm.warp(a.expiry + 1);
        execute(b);
        assertSkipped(id, IXvmDestination.PredecessorOpen.selector);
        destination.expire(expireBatch(a), payeeWord(worker));
        execute(b);
        assertConcluded(id, Kind.EXECUTED, false, abi.encode(1));
    }

    function test_APredecessorShownToHaveLapsedIsNoLongerWaitedFor() public {
        (uint256 first, Request memory a) = _askOrdered(echo, 0);
        (uint256 id, Request memory b) = _askOrdered(echo, uint64(START + 500));
        vm.warp(a.expiry + 1);
        vm.recordLogs();
        vm.prank(alice);
        destination.showLapsed(_one(a));
        Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IXvmDestination.XVMLapseShown.selector);
        assertEq(uint256(log.topics[1]), first, "event");
        assertEq(destination.consumed(first), 0, "not consumed");
        execute(b);
        assertConcluded(id, Kind.EXECUTED, false, abi.encode(1));
        // and its own receipt can still come
        vm.recordLogs();
        destination.expire(expireBatch(a), payeeWord(worker));
        assertConcluded(first, Kind.EXPIRED, false, "");
    }

    function test_SECURITY_NothingThatMayStillRunIsShownToHaveLapsed() public {
        (uint256 first, Request memory a) = _askOrdered(echo, 0);
        (uint256 id, Request memory b) = _askOrdered(echo, uint64(START + 500));
        vm.warp(a.expiry);
        vm.expectRevert(abi.encodeWithSelector(IXvmDestination.NotLapsed.selector, first, a.expiry));
        destination.showLapsed(_one(a));
        // another expiry is another id
        uint64 expiry = a.expiry;
        a.expiry = uint64(START - 1);
        destination.showLapsed(_one(a));
        execute(b);
        assertSkipped(id, IXvmDestination.PredecessorOpen.selector);
        a.expiry = expiry;
        execute(a);
        execute(b);
        assertConcluded(id, Kind.EXECUTED, false, abi.encode(2));
    }

    function test_AnExpiredRequestExpiresWhateverItsPredecessor() public {
        _askOrdered(echo, 0);
        (uint256 id, Request memory b) = _askOrdered(echo, 0);
        vm.warp(b.expiry + 1);
        execute(b);
        assertConcluded(id, Kind.EXPIRED, false, "");
    }

    function _askOrdered(XvmEcho who, uint64 expiry) private returns (uint256, Request memory) {
        Options memory options;
        options.ordered = true;
        options.expiry = expiry;
        return askBy(who, address(counter), increment(1), options);
    }

    function _one(Request memory request) private pure returns (RequestByHash[] memory requests) {
        requests = new RequestByHash[](1);
        requests[0] = byHash(request);
    }
}
