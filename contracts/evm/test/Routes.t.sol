// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmRoutes} from "../src/interfaces/IXvmRoutes.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {Options} from "../src/interfaces/XvmTypes.sol";
import {GatewayTest} from "./GatewayTest.sol";
import {Vm} from "./Vm.sol";

contract RoutesTest is GatewayTest {
    function test_ARouteIsStoredAndTold() public {
        IXvmRoutes.Outbound memory wide = route();
        wide.maxPayloadBytes = 65_536;
        vm.recordLogs();
        sourceRoutes.setOutbound(chain(), wide);
        Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IXvmRoutes.XVMOutboundSet.selector);
        assertEq(log.topics[1], keccak256(chain()), "chain");
        assertEq(log.data, abi.encode(chain(), wide), "event");
        (IXvmRoutes.Outbound memory stored, uint256 pausedUntil) = sourceRoutes.outbound(chain());
        assertEq(abi.encode(stored), abi.encode(wide), "view");
        assertEq(pausedUntil, 0, "open");
        (IXvmRoutes.Price memory newest,) = sourceRoutes.price(chain());
        assertEq(abi.encode(newest), abi.encode(price()), "price");
        sourceRoutes.removeOutbound(chain());
        vm.expectRevert(abi.encodeWithSelector(IXvmRoutes.Unrouted.selector, keccak256(chain())));
        sourceRoutes.outbound(chain());
    }

    function test_RoutesBeyondTheProtocolsBoundsAreRefused() public {
        IXvmRoutes.Outbound memory bad = route();
        bad.maxPayloadBytes = 65_537;
        _badRoute(bad, "maxPayloadBytes");
        bad = route();
        bad.maxReturnBytes = 65_537;
        _badRoute(bad, "maxReturnBytes");
        bad.maxReturnBytes = 1023;
        _badRoute(bad, "maxReturnBytes");
        bad = route();
        bad.maxExecutionGas = 10_000_001;
        _badRoute(bad, "maxExecutionGas");
        bad.maxExecutionGas = 499_999;
        _badRoute(bad, "maxExecutionGas");
        bad = route();
        bad.maxCallbackGas = 10_000_001;
        _badRoute(bad, "maxCallbackGas");
        bad.maxCallbackGas = 299_999;
        _badRoute(bad, "maxCallbackGas");
        bad = route();
        bad.addressLengths = 0;
        _badRoute(bad, "addressLengths");
        bad = route();
        bad.minExpirySeconds = 101;
        _badRoute(bad, "defaultExpirySeconds");
        bad = route();
        bad.maxExpirySeconds = 99;
        _badRoute(bad, "defaultExpirySeconds");
        bad = route();
        bad.defaultExpirySeconds = 120;
        _badRoute(bad, "defaultExpirySeconds");
        bad = route();
        bad.deadlineBlocks = 99;
        _badRoute(bad, "deadlineBlocks");
        bad = route();
        bad.maxDeadlineBlocks = 119;
        _badRoute(bad, "deadlineBlocks");
        bad = route();
        bad.destinationGateway = "";
        bad.queries = false;
        _badRoute(bad, "queries");
    }

    function test_MalformedNamesAreRefused() public {
        IXvmRoutes.Outbound memory there = route();
        vm.expectRevert(abi.encodeWithSelector(IXvmRoutes.MalformedChain.selector));
        sourceRoutes.setOutbound(account(alice), there);
        vm.expectRevert(abi.encodeWithSelector(IXvmRoutes.MalformedChain.selector));
        sourceRoutes.setPrice(hex"0001", price());
        vm.expectRevert(abi.encodeWithSelector(IXvmRoutes.MalformedGateway.selector));
        sourceRoutes.setInbound(chain(), true);
        there.destinationGateway = InteroperableAddress.formatEvmV1(1, address(destination));
        vm.expectRevert(abi.encodeWithSelector(IXvmRoutes.MalformedGateway.selector));
        sourceRoutes.setOutbound(chain(), there);
        there.destinationGateway = chain();
        vm.expectRevert(abi.encodeWithSelector(IXvmRoutes.MalformedGateway.selector));
        sourceRoutes.setOutbound(chain(), there);
    }

    function test_OtherNamespacesHaveTheirAddressLengths() public {
        bytes memory cosmos = hex"0001c00106746573742d3100";
        IXvmRoutes.Outbound memory there = route();
        there.destinationGateway = bytes.concat(hex"0001c00106746573742d3120", new bytes(32));
        there.addressLengths = 1 << 20 | 1 << 32;
        sourceRoutes.setOutbound(cosmos, there);
        sourceRoutes.setPrice(cosmos, price());
        Options memory options;
        for (uint256 length = 1; length < 70; ++length) {
            bytes memory target = bytes.concat(hex"0001c00106746573742d31", bytes1(uint8(length)), new bytes(length));
            bool known = length == 20 || length == 32;
            if (!known) vm.expectRevert(abi.encodeWithSelector(IXvmRoutes.MalformedTarget.selector));
            uint256 fee = sourceRoutes.quote(target, 0, options);
            assertTrue(!known || fee > 0, "priced");
        }
    }

    /// @notice A plan charges the lower of two prices and never more than it.
    function test_WithinAQuotesBlocksTheLowerPriceCounts(uint64 before, uint64 after_) public {
        IXvmRoutes.Price memory first = price();
        first.callbackWeiPerGigagas = uint128(before) + 1;
        IXvmRoutes.Price memory second = price();
        second.callbackWeiPerGigagas = uint128(after_) + 1;
        sourceRoutes.setPrice(chain(), first);
        vm.roll(HEIGHT + QUOTE_BLOCKS);
        Options memory options;
        bytes memory target = account(address(counter));
        uint256 oldFee = sourceRoutes.quote(target, 0, options);
        sourceRoutes.setPrice(chain(), second);
        uint256 newFee = sourceRoutes.quote(target, 0, options);
        assertEq(_planned(target), oldFee < newFee ? oldFee : newFee, "the lower");
        vm.roll(HEIGHT + 2 * QUOTE_BLOCKS);
        assertEq(_planned(target), newFee, "the new");
    }

    function _planned(bytes memory target) private view returns (uint256) {
        Options memory options;
        IXvmRoutes.Plan memory planned = sourceRoutes.plan(target, 0, options);
        return planned.executionShare + planned.callbackShare + planned.signersShare;
    }

    function _badRoute(IXvmRoutes.Outbound memory bad, string memory field) private {
        vm.expectRevert(abi.encodeWithSelector(IXvmRoutes.BadRoute.selector, field));
        sourceRoutes.setOutbound(chain(), bad);
    }
}
