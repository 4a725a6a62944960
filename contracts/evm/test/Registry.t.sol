// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IXvmRegistry} from "../src/interfaces/IXvmRegistry.sol";
import {GatewayTest} from "./GatewayTest.sol";

contract RegistryTest is GatewayTest {
    function test_ChainsKeepTheirRecordsInOrder() public {
        registry.recordChain(chain(), _chainRecord(0));
        IXvmRegistry.ChainRecord memory second = _chainRecord(500);
        second.finality = IXvmRegistry.Finality.DEPTH;
        second.depthBlocks = 12;
        registry.recordChain(chain(), second);
        IXvmRegistry.ChainRecord[] memory records = registry.chainRecords(chain());
        assertEq(abi.encode(records[0]), abi.encode(_chainRecord(0)), "the first");
        assertEq(abi.encode(records[1]), abi.encode(second), "the second");
        assertEq(registry.gatewayOf(chain()), account(address(source)), "the newest gateway");
        bytes[] memory chains = registry.chains();
        assertEq(chains.length, 1, "one chain");
        assertEq(chains[0], chain(), "this one");
        vm.expectRevert(abi.encodeWithSelector(IXvmRegistry.ActivationNotLater.selector, 500, 500));
        registry.recordChain(chain(), _chainRecord(500));
        IXvmRegistry.ChainRecord memory retired = _chainRecord(600);
        retired.gateway = "";
        registry.recordChain(chain(), retired);
        assertEq(registry.gatewayOf(chain()).length, 0, "retired");
    }

    function test_BadChainRecordsAreRefused() public {
        vm.expectRevert(abi.encodeWithSelector(IXvmRegistry.MalformedChain.selector));
        registry.recordChain(account(alice), _chainRecord(1));
        IXvmRegistry.ChainRecord memory bad = _chainRecord(1);
        bad.gateway = InteroperableAddress.formatEvmV1(1, address(source));
        vm.expectRevert(abi.encodeWithSelector(IXvmRegistry.MalformedGateway.selector));
        registry.recordChain(chain(), bad);
        bad = _chainRecord(1);
        bad.depthBlocks = 1;
        vm.expectRevert(abi.encodeWithSelector(IXvmRegistry.BadFinality.selector));
        registry.recordChain(chain(), bad);
    }

    function test_AChainMayBeFinalAtOnce() public {
        IXvmRegistry.ChainRecord memory instant = _chainRecord(1);
        instant.finality = IXvmRegistry.Finality.DEPTH;
        instant.depthBlocks = 0;
        registry.recordChain(chain(), instant);
    }

    function test_RoutesKeepTheirRecordsInOrder() public {
        bytes memory from = account(address(source));
        bytes memory to = account(address(destination));
        registry.recordRoute(from, to, IXvmRegistry.RouteRecord(1, 1, 0, 0));
        registry.recordRoute(from, to, IXvmRegistry.RouteRecord(4, 2, 100, 200));
        registry.recordRoute(from, chain(), IXvmRegistry.RouteRecord(1, 1, 0, 0));
        IXvmRegistry.RouteRecord[] memory records = registry.routeRecords(keccak256(bytes.concat(from, to)));
        assertEq(records.length, 2, "two records");
        assertEq(abi.encode(records[1]), abi.encode(IXvmRegistry.RouteRecord(4, 2, 100, 200)), "the second");
        (bytes[] memory sources, bytes[] memory destinations) = registry.routes();
        assertEq(sources.length, 2, "two routes");
        assertEq(sources[1], from, "source");
        assertEq(destinations[1], chain(), "the queries' route");
        vm.expectRevert(abi.encodeWithSelector(IXvmRegistry.ActivationNotLater.selector, 100, 100));
        registry.recordRoute(from, to, IXvmRegistry.RouteRecord(4, 2, 100, 300));
        vm.expectRevert(abi.encodeWithSelector(IXvmRegistry.ActivationNotLater.selector, 200, 200));
        registry.recordRoute(from, to, IXvmRegistry.RouteRecord(4, 2, 101, 200));
        vm.expectRevert(abi.encodeWithSelector(IXvmRegistry.MalformedGateway.selector));
        registry.recordRoute(chain(), to, IXvmRegistry.RouteRecord(1, 1, 0, 0));
        vm.expectRevert(abi.encodeWithSelector(IXvmRegistry.MalformedGateway.selector));
        registry.recordRoute(from, "", IXvmRegistry.RouteRecord(1, 1, 0, 0));
    }

    function test_OperatorsComeMoveAndGo() public {
        registry.setOperator("a", IXvmRegistry.Operator("https://a", alice));
        registry.setOperator("b", IXvmRegistry.Operator("https://b", worker));
        registry.setOperator("a", IXvmRegistry.Operator("https://a2", alice));
        assertEq(registry.operators().length, 2, "two");
        assertEq(bytes(registry.operatorRecord("a").endpoint), "https://a2", "moved");
        assertEq(registry.payoutOf("b"), worker, "payout");
        registry.setOperator("a", IXvmRegistry.Operator("", address(0)));
        assertEq(registry.payoutOf("a"), address(0), "gone");
        vm.expectRevert(abi.encodeWithSelector(IXvmRegistry.BadOperator.selector));
        registry.setOperator(0, IXvmRegistry.Operator("https://x", alice));
    }

    function _chainRecord(uint64 height) private view returns (IXvmRegistry.ChainRecord memory) {
        return IXvmRegistry.ChainRecord({
            gateway: account(address(source)),
            finality: IXvmRegistry.Finality.FINALIZED,
            depthBlocks: 0,
            activationHeight: height
        });
    }
}
