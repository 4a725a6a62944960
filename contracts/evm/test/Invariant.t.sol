// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmGateway} from "../src/interfaces/IXvmGateway.sol";
import {Options, OutcomeItem, Request, State} from "../src/interfaces/XvmTypes.sol";
import {Requester} from "./Actors.sol";
import {GatewayTest} from "./GatewayTest.sol";

/// @notice Everything that money can do at a gateway, in any order.
contract World is GatewayTest {
    uint256[] public ids;
    OutcomeItem[] private failed;
    bytes[] private asked;
    Requester public requester;
    uint256 private height = HEIGHT;
    uint256 private time = START;

    function prepare() external {
        setUp();
        requester = new Requester(IXvmGateway(address(source)));
        vm.deal(address(requester), 1000 ether);
    }

    function askFromContract() external {
        (uint256 id,) = ask(increment(1));
        ids.push(id);
    }

    function askFromAccount() external {
        (uint256 id, Request memory request) = askAsEoa(increment(1));
        ids.push(id);
        asked.push(abi.encode(request));
    }

    function askAndFail(bool failing) external {
        requester.setFailing(failing);
        vm.recordLogs();
        vm.deal(address(requester), 1 ether);
        askBy(requester);
    }

    function topUp(uint256 which, uint96 amount) external {
        if (ids.length == 0) return;
        vm.deal(alice, 1000 ether);
        vm.prank(alice);
        source.addFee{value: bound(amount, 1, 10 ether)}(ids[which % ids.length]);
    }

    function conclude(uint256 which, uint8 kind, uint8 payee) external {
        if (ids.length == 0) return;
        OutcomeItem memory item = outcome(ids[which % ids.length], uint8(bound(kind, 0, 4)), "");
        address[4] memory payees = [worker, relayer, alice, address(0)];
        item.payee = payeeWord(payees[payee % 4]);
        deliver(item);
        if (source.pendingRequest(item.requestId).state == State.HANDLER_FAILED) failed.push(item);
    }

    function cancel(uint256 which) external {
        if (asked.length == 0) return;
        Request memory request = abi.decode(asked[which % asked.length], (Request));
        vm.prank(alice);
        source.cancel(request);
    }

    function reclaim(uint256 which) external {
        if (ids.length == 0) return;
        source.reclaim(ids[which % ids.length]);
    }

    function replay(uint256 which) external {
        if (failed.length == 0) return;
        vm.prank(alice, alice);
        source.retryCallback(failed[which % failed.length], 400_000);
    }

    function withdraw(uint8 who) external {
        address[4] memory creditors = [worker, relayer, alice, treasury];
        vm.prank(creditors[who % 4]);
        source.withdraw(creditors[who % 4]);
    }

    function collect() external {
        source.collectForSigners(relayerAlone());
    }

    function shareOut() external {
        source.paySigners(address(sourceVerifier), 1);
    }

    function pass(uint16 seconds_) external {
        height += seconds_;
        time += uint256(seconds_) * 100;
        vm.roll(height);
        vm.warp(time);
    }

    function askBy(Requester who) private {
        Options memory options;
        who.ask(account(address(counter)), increment(1), options);
        (uint256 id,) = lastRequest();
        ids.push(id);
    }

    function openFees() public view returns (uint256 sum) {
        for (uint256 i = 0; i < ids.length; ++i) {
            sum += source.pendingRequest(ids[i]).fee;
        }
    }

    function owed() external view returns (uint256) {
        return openFees() + source.credits(alice) + source.credits(relayer) + source.credits(worker)
            + source.credits(treasury) + source.credits(address(echo)) + source.credits(address(requester))
            + source.signersPool(address(sourceVerifier), 1) + source.uncollected(relayer);
    }

    function held() external view returns (uint256) {
        return address(source).balance;
    }
}

contract InvariantTest is GatewayTest {
    /// @dev As forge has it.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    World private world;

    function setUp() public override {
        world = new World();
        world.prepare();
    }

    /// @dev What sets the world up is none of its actions.
    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0].addr = address(world);
        targets[0].selectors = new bytes4[](12);
        targets[0].selectors[0] = World.askFromContract.selector;
        targets[0].selectors[1] = World.askFromAccount.selector;
        targets[0].selectors[2] = World.askAndFail.selector;
        targets[0].selectors[3] = World.topUp.selector;
        targets[0].selectors[4] = World.conclude.selector;
        targets[0].selectors[5] = World.cancel.selector;
        targets[0].selectors[6] = World.reclaim.selector;
        targets[0].selectors[7] = World.replay.selector;
        targets[0].selectors[8] = World.withdraw.selector;
        targets[0].selectors[9] = World.collect.selector;
        targets[0].selectors[10] = World.shareOut.selector;
        targets[0].selectors[11] = World.pass.selector;
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(world);
    }

    /// @notice SECURITY: balance = open fees + credits + signers' pools, whatever happens.
    function invariant_SECURITY_BalanceIsWhatIsOwed() external view {
        assertEq(world.held(), world.owed(), "balance = open fees + credits + pools");
    }
}
