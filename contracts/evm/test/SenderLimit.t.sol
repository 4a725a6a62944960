// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IXvmSource} from "../src/interfaces/IXvmSource.sol";
import {Options, Request} from "../src/interfaces/XvmTypes.sol";
import {GatewayTest} from "./GatewayTest.sol";
import {Vm} from "./Vm.sol";

contract SenderLimitTest is GatewayTest {
    uint256 private constant WINDOW = 10;

    function test_AGatewayStartsWithoutALimit() public {
        (uint32 windowBlocks, uint32 maxRequests) = source.senderLimit();
        assertEq(windowBlocks + maxRequests, 0, "none");
        _take(50);
    }

    function test_SECURITY_NobodyAsksMoreOftenThanTheLimitInAWindow() public {
        source.setSenderLimit(uint32(WINDOW), 3);
        _take(2);
        vm.roll(HEIGHT + WINDOW - 1);
        _take(1);
        _refused(HEIGHT + WINDOW);
        vm.roll(HEIGHT + WINDOW);
        _take(3);
        _refused(HEIGHT + 2 * WINDOW);
        vm.roll(HEIGHT + 7 * WINDOW + 5);
        _take(3);
        _refused(HEIGHT + 8 * WINDOW);
    }

    function test_EachSenderHasItsOwnCount() public {
        source.setSenderLimit(uint32(WINDOW), 1);
        ask(increment(1));
        _take(1);
        _refused(HEIGHT + WINDOW);
    }

    function test_SECURITY_RetriesCount() public {
        (, Request memory request) = askAsEoa(increment(1));
        vm.roll(HEIGHT + 10 * WINDOW * WINDOW);
        vm.warp(request.expiry + 301);
        source.setSenderLimit(uint32(WINDOW), 1);
        _take(1);
        vm.prank(alice, alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.SenderLimit.selector, block.number + WINDOW));
        source.retry{value: 1 ether}(request, 0, 0);
    }

    function test_DeliveriesAndRefusedRequestsCountForNothing() public {
        source.setSenderLimit(uint32(WINDOW), 2);
        (uint256 id,) = askAsEoa(increment(1));
        Options memory options;
        options.mode = 9;
        vm.prank(alice, alice);
        vm.expectRevert();
        source.xvmExecute{value: 1 ether}(account(address(counter)), "", options);
        deliver(outcome(id, 0, ""));
        _take(1);
        _refused(HEIGHT + WINDOW);
        assertEq(source.nonces(alice), 2, "nonces without gaps");
    }

    function test_AZeroLiftsTheLimit() public {
        source.setSenderLimit(uint32(WINDOW), 1);
        _take(1);
        _refused(HEIGHT + WINDOW);
        source.setSenderLimit(0, 1);
        _take(2);
        source.setSenderLimit(uint32(WINDOW), 0);
        _take(2);
    }

    function test_SECURITY_OnlyTheOwnerSetsTheLimit() public {
        vm.prank(guardian);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, guardian));
        source.setSenderLimit(1, 1);
        vm.recordLogs();
        source.setSenderLimit(7, 9);
        Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IXvmSource.XVMSenderLimitSet.selector);
        assertEq(log.data, abi.encode(7, 9), "event");
        (uint32 windowBlocks, uint32 maxRequests) = source.senderLimit();
        assertEq(abi.encode(windowBlocks, maxRequests), abi.encode(7, 9), "view");
    }

    /// @notice Against a plain count: in each window the first `most` requests are taken, whenever they are made.
    function test_TheLimitIsThatOfAPlainCount(uint32 length, uint8 most, uint16[20] calldata steps) public {
        length = uint32(bound(length, 1, 1 << 16));
        most = uint8(bound(most, 1, 5));
        source.setSenderLimit(length, most);
        uint256 height = HEIGHT;
        uint256 window = type(uint256).max;
        uint256 count;
        uint64 taken;
        for (uint256 i = 0; i < steps.length; ++i) {
            height += steps[i] & 1 == 0 ? 0 : steps[i] >> 4;
            vm.roll(height);
            if (height / length != window) (window, count) = (height / length, 0);
            if (++count > most) {
                _refused((window + 1) * length);
            } else {
                _take(1);
                ++taken;
            }
        }
        assertEq(source.nonces(alice), taken, "one nonce each");
    }

    function _take(uint256 count) private {
        for (uint256 i = 0; i < count; ++i) {
            askAsEoa(increment(1));
        }
    }

    function _refused(uint256 nextWindowBlock) private {
        Options memory options;
        vm.prank(alice, alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.SenderLimit.selector, nextWindowBlock));
        source.xvmExecute{value: 1 ether}(account(address(counter)), "", options);
    }
}
