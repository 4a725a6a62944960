// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmGateway} from "../src/interfaces/IXvmGateway.sol";
import {IXvmRegistry} from "../src/interfaces/IXvmRegistry.sol";
import {DeliverBatch, Kind, Options, SignerSet} from "../src/interfaces/XvmTypes.sol";
import {StatementHash} from "../src/libraries/StatementHash.sol";
import {GatewayTest} from "./GatewayTest.sol";
import {Vm} from "./Vm.sol";

/// @notice Takes its credit and comes back for it while it is paid.
contract Thief {
    IXvmGateway private immutable gateway;

    uint256 public attempts;
    uint256 public thefts;

    constructor(IXvmGateway gateway_) {
        gateway = gateway_;
    }

    function ask(bytes calldata target) external payable {
        Options memory options;
        gateway.xvmExecute{value: msg.value}(target, "", options);
    }

    function take() external {
        gateway.withdraw(address(this));
    }

    function xvmCallback(uint256, bool, bytes calldata) external {}

    receive() external payable {
        ++attempts;
        (bool success,) = address(gateway).call(abi.encodeCall(gateway.withdraw, (address(this))));
        if (success) ++thefts;
    }
}

contract CreditsTest is GatewayTest {
    function test_ACreditIsPaidOutWhole() public {
        (uint256 id,) = ask(increment(1));
        deliver(outcome(id, Kind.EXECUTED, ""));
        uint256 credit = source.credits(relayer);
        vm.recordLogs();
        vm.prank(relayer);
        assertEq(source.withdraw(address(0x77)), credit, "returned");
        Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IXvmGateway.XVMWithdrawn.selector);
        assertEq(log.data, abi.encode(credit), "event");
        assertEq(address(0x77).balance, credit, "paid");
        assertEq(source.credits(relayer), 0, "nothing left");
        vm.prank(relayer);
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.NoCredit.selector, relayer));
        source.withdraw(relayer);
        assertSolvent(0);
    }

    function test_ARefusedWithdrawalChangesNothing() public {
        (uint256 id,) = ask(increment(1));
        deliver(outcome(id, Kind.EXECUTED, ""));
        uint256 credit = source.credits(relayer);
        vm.prank(relayer);
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.WithdrawalRefused.selector, address(counter)));
        source.withdraw(address(counter));
        assertEq(source.credits(relayer), credit, "still there");
    }

    function test_SECURITY_ACreditCannotBeTakenTwice() public {
        Thief thief = new Thief(IXvmGateway(address(source)));
        // somebody else's money lies there as well
        ask(increment(1));
        vm.recordLogs();
        vm.deal(address(this), 1 ether);
        Options memory options;
        thief.ask{value: source.quote(account(address(counter)), 0, options)}(account(address(counter)));
        (uint256 id,) = lastRequest();
        deliver(outcome(id, Kind.EXPIRED, ""));
        uint256 credit = source.credits(address(thief));
        assertTrue(credit > 0, "its refund");
        thief.take();
        assertEq(thief.attempts(), 1, "it tried");
        assertEq(thief.thefts(), 0, "in vain");
        assertEq(address(thief).balance, credit, "its own and no more");
    }

    function test_AnEpochsPoolIsSharedOutByWeight() public {
        (uint256 id,) = ask(increment(1));
        deliver(outcome(id, Kind.EXECUTED, ""));
        uint256 pool = source.uncollected(relayer);
        source.collectForSigners(relayerAlone());
        assertEq(source.uncollected(relayer), 0, "collected");
        assertEq(source.signersPool(address(sourceVerifier), 1), pool, "into the pool");
        source.collectForSigners(relayerAlone());
        assertEq(source.signersPool(address(sourceVerifier), 1), pool, "once");
        registry.setOperator(bytes32(keys[0]), IXvmRegistry.Operator("https://a", alice));
        registry.setOperator(bytes32(keys[1]), IXvmRegistry.Operator("https://b", alice));
        registry.setOperator(bytes32(keys[2]), IXvmRegistry.Operator("https://c", address(echo)));
        vm.recordLogs();
        assertEq(source.paySigners(address(sourceVerifier), 1), pool, "returned");
        Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IXvmGateway.XVMSignersPaid.selector);
        assertEq(log.data, abi.encode(pool), "event");
        assertEq(source.credits(alice), 2 * (pool / 4), "two signers");
        assertEq(source.credits(address(echo)), pool / 4, "one");
        assertEq(source.credits(treasury), pool - 3 * (pool / 4), "the unregistered one's, and the dust");
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.NoCredit.selector, address(sourceVerifier)));
        source.paySigners(address(sourceVerifier), 1);
        assertSolvent(0);
    }

    function test_EpochsHaveTheirOwnPools() public {
        uint256[] memory next = new uint256[](4);
        (next[0], next[1], next[2], next[3]) = (0xb1, 0xb2, 0xb3, 0xb4);
        SignerSet memory set = signerSet(next, 3);
        sourceVerifier.rotate(
            set, certificate(sourceVerifier, 1, StatementHash.rotateLeaf(sourceVerifier.hashSignerSet(set), 2), 1, keys)
        );
        (uint256 id,) = ask(increment(1));
        (uint256 other,) = ask(increment(1));
        deliver(outcome(id, Kind.EXECUTED, ""));
        uint256 first = source.uncollected(relayer);
        keys = next;
        bytes32 leaf = StatementHash.leaf(outcomeHash(outcome(other, Kind.EXECUTED, "")));
        deliver(_batchOf(other, certificate(sourceVerifier, 2, leaf, 1, next)));
        assertEq(source.signersPool(address(sourceVerifier), 1), first, "what the first epoch earned goes to its pool");
        assertEq(source.uncollected(relayer), first, "the same fee, for the other epoch");
        assertSolvent(0);
        source.collectForSigners(relayerAlone());
        assertEq(source.signersPool(address(sourceVerifier), 2), first, "collected for the other epoch");
        assertSolvent(0);
    }

    function test_OnlyVerifiersOfTheGatewayHavePools() public {
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.UnknownVerifier.selector, address(destinationVerifier)));
        source.paySigners(address(destinationVerifier), 1);
        vm.expectRevert(abi.encodeWithSelector(IXvmGateway.UnknownVerifier.selector, alice));
        source.signersPool(alice, 1);
    }

    function _batchOf(uint256 id, bytes memory by) private view returns (DeliverBatch[] memory batches) {
        batches = deliverBatch(outcome(id, Kind.EXECUTED, ""));
        batches[0].certificate = by;
    }
}
