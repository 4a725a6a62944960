// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {XvmCounter} from "../../src/examples/XvmCounter.sol";
import {IXvmGateway} from "../../src/interfaces/IXvmGateway.sol";
import {XvmHostileGateway} from "../../src/mock/XvmHostileGateway.sol";
import {Assertions} from "../Assertions.sol";
import {Asker} from "../client/Asker.sol";
import {Vm} from "../Vm.sol";

/// @notice A mock gateway, one contract that asks and one to be asked.
abstract contract MockTest is Assertions {
    uint256 internal constant START = 1_800_000_000;
    uint256 internal constant HEIGHT = 1000;
    uint256 internal constant FAR = 4242;
    uint256 internal constant TIMEOUT = 100;

    address internal alice = address(0x6003);

    XvmHostileGateway internal mock;
    IXvmGateway internal gateway;
    XvmCounter internal counter;
    Asker internal asker;

    receive() external payable {}

    function setUp() public virtual {
        vm.warp(START);
        vm.roll(HEIGHT);
        mock = XvmHostileGateway(deploy("XvmHostileGateway", ""));
        gateway = IXvmGateway(address(mock));
        counter = XvmCounter(deploy("XvmCounter", abi.encode(mock)));
        asker = Asker(payable(deploy("Asker", abi.encode(mock, TIMEOUT))));
    }

    function far(address who) internal pure returns (bytes memory) {
        return InteroperableAddress.formatEvmV1(FAR, who);
    }

    function increment(uint256 amount) internal pure returns (bytes memory) {
        return abi.encodeCall(XvmCounter.increment, (amount));
    }

    function call() internal returns (uint256 id) {
        return asker.call{value: 1 ether}(FAR, address(counter), increment(5));
    }

    function query() internal returns (uint256 id) {
        return asker.query{value: 1 ether}(FAR, address(counter), abi.encodeWithSignature("count()"));
    }

    function onlyLog(bytes32 topic) internal returns (Vm.Log memory found) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 count = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != topic) continue;
            found = logs[i];
            ++count;
        }
        assertEq(count, 1, "one log of this event");
    }
}
