// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmAccount} from "../../src/interfaces/IXvmAccount.sol";
import {IXvmAccounts} from "../../src/interfaces/IXvmAccounts.sol";
import {IXvmDestination} from "../../src/interfaces/IXvmDestination.sol";
import {IXvmExecutor} from "../../src/interfaces/IXvmExecutor.sol";
import {IXvmGateway} from "../../src/interfaces/IXvmGateway.sol";
import {IXvmSource} from "../../src/interfaces/IXvmSource.sol";
import {DeliverBatch, ExecuteBatch, ExecuteItem, Kind, Request} from "../../src/interfaces/XvmTypes.sol";
import {RequestHash} from "../../src/libraries/RequestHash.sol";
import {Vm} from "../Vm.sol";
import {Behaviour, Hostile} from "./Hostile.sol";
import {HostileTest} from "./HostileTest.sol";

/// @notice Hostile targets at every place of a batch of executions, called by the executor and by an account of the sender's own.
/// The others' effects, receipts and logs are exactly as without.
contract TargetsTest is HostileTest {
    /// @dev What the hostile one's receipt said.
    bytes private _receipt;

    function test_SECURITY_ATargetThatRevertsHarmsNoOther() public {
        _harmsNoOther(Behaviour.REVERT, Kind.REVERTED, false, "");
        _harmsNoOther(
            Behaviour.REVERT_WITH_DATA, Kind.REVERTED, false, abi.encodeWithSelector(Hostile.Ugly.selector, 4)
        );
    }

    function test_SECURITY_ATargetThatBurnsAllItsGasHarmsNoOther() public {
        gasLimit = 500_000;
        _harmsNoOther(Behaviour.INVALID, Kind.REVERTED, false, "");
        _harmsNoOther(Behaviour.LOOP, Kind.REVERTED, false, "");
    }

    function test_SECURITY_ATargetThatAnswersAMegabyteHarmsNoOther() public {
        gasLimit = BOMB_GAS;
        _harmsNoOther(Behaviour.RETURN_BOMB, Kind.EXECUTED, true, new bytes(1024));
        _harmsNoOther(Behaviour.REVERT_BOMB, Kind.REVERTED, true, new bytes(1024));
    }

    function test_ATargetThatSpendsAllItWasGivenHasRun() public {
        gasLimit = 500_000;
        _harmsNoOther(Behaviour.SPEND_ALL_BUT_LITTLE, Kind.EXECUTED, false, "");
    }

    function test_ATargetThatDestroysItselfHarmsNoOther() public {
        _harmsNoOther(Behaviour.DESTROY_ITSELF, Kind.EXECUTED, false, "");
        hostile.become(Behaviour.DESTROY_ITSELF, DESTROYER);
        uint256 money = address(hostile).balance;
        (, Request memory request) = _asksForHostile();
        execute(request);
        assertEq(destination.executor().balance, money, "its money went to who called");
        assertTrue(address(hostile).code.length != 0, "its code stays");
    }

    /// @notice SECURITY: a target's transient storage is its own: each target finds the request that it is called for.
    function test_SECURITY_ATargetCannotChangeTheCurrentRequest() public {
        _harmsNoOther(Behaviour.WRITE_TRANSIENT, Kind.EXECUTED, false, "");
        hostile.become(Behaviour.WRITE_TRANSIENT, payable(address(destination)));
        (uint256 id, Request memory request) = _asksForHostile();
        execute(request);
        assertEq(hostile.currentAtEntry(), id, "its own");
        (uint256 current, bytes memory sender) = destination.currentRequest();
        assertEq(current + sender.length, 0, "nothing is left behind");
    }

    function test_SECURITY_ADelegatedAccountAsATargetHarmsNoOther() public {
        address delegated = address(0x7702);
        vm.etch(delegated, abi.encodePacked(hex"ef0100", address(hostile)));
        hostile = Hostile(payable(delegated));
        gasLimit = 500_000;
        _harmsNoOther(Behaviour.REVERT, Kind.REVERTED, false, "");
        _harmsNoOther(Behaviour.LOOP, Kind.REVERTED, false, "");
        _harmsNoOther(Behaviour.SPEND_ALL_BUT_LITTLE, Kind.EXECUTED, false, "");
    }

    // ---- re-entering

    /// @notice SECURITY: from within its call a target tries every door of the system. What works harms nobody.
    function test_SECURITY_ATargetThatTriesEveryDoorHarmsNoOther() public {
        for (uint256 own = 0; own < 2; ++own) {
            uint256 start = vm.snapshotState();
            byOwnAccount = own == 1;
            _triesEveryDoor();
            vm.revertToState(start);
        }
    }

    function _triesEveryDoor() private {
        (uint256 late, Request memory lateRequest) = honestAsks(1);
        vm.warp(START + 101);
        hostile.become(Behaviour.REENTER, payable(address(destination)));
        Request[] memory requests = _asked(1);
        uint256 id = RequestHash.id(requests[1]);
        destinationDoors(requests[2], lateRequest);
        verifierDoor(destinationVerifier);
        DeliverBatch[] memory batches = deliverBatch(outcome(late, Kind.EXECUTED, ""));
        door(address(source), 0, abi.encodeCall(source.deliver, (batches)), IXvmGateway.ContractCaller.selector);
        door(address(source), 1 ether, abi.encodeCall(source.addFee, (id)), OPEN);
        door(address(source), 0, abi.encodeCall(source.cancel, (requests[0])), IXvmSource.NotRequester.selector);
        door(address(source), 10 ether, askingCall(), OPEN);
        address own = IXvmAccounts(destination.accounts()).accountOf(requests[1].sender);
        if (byOwnAccount) {
            door(own, 0, abi.encodeCall(IXvmAccount.pay, (address(hostile), 1)), IXvmAccount.OnlyItself.selector);
            door(
                own,
                0,
                abi.encodeCall(IXvmAccount.run, (address(counter), 100_000, 32, increment(1))),
                IXvmAccount.OnlyAccounts.selector
            );
        }

        (bytes memory without, bytes memory with) = _bothWays(requests, 1);
        assertEq(with, without, "the others' logs and effects");
        assertDoors();
        assertEq(hostile.currentAtEntry(), id, "its own request");
        assertEq(hostile.currentAtExit(), id, "until its end, whatever it did");
        assertEq(destination.consumed(id), slotWord(Kind.EXECUTED, id), "executed");
        assertEq(destination.consumed(late), slotWord(Kind.EXPIRED, late), "what it expired had expired");
    }

    // ---- starving

    /// @notice SECURITY: with whatever gas a submitter sends a batch, all of it ran with all its gas, or nothing happened.
    function test_SECURITY_ABatchIsStarvedAsAWholeOrNotAtAll() public {
        gasLimit = 500_000;
        hostile.become(Behaviour.LOOP, payable(address(0)));
        Request[] memory requests = _asked(1);
        bytes memory call = abi.encodeCall(destination.execute, (executeBatch(requests), payeeWord(worker)));
        (uint256 refusals, uint256 runs) = (0, 0);
        for (uint256 sent = 200_000; sent < 2_400_000; sent += 50_000) {
            uint256 state = vm.snapshotState();
            vm.prank(relayer, relayer);
            (bool success, bytes memory reason) = address(destination).call{gas: sent}(call);
            assertEq(counter.count(), success ? 2 : 0, "both honest ones, or none");
            bytes32 slot = destination.consumed(RequestHash.id(requests[1]));
            assertTrue((slot != 0) == success, "and the hostile one with them");
            if (success) ++runs;
            else if (bytes4(reason) == IXvmExecutor.InsufficientExecutionGas.selector) ++refusals;
            vm.revertToState(state);
        }
        assertTrue(refusals > 3 && runs > 3, "both were seen");
    }

    // ---- how it is looked at

    function _harmsNoOther(Behaviour behaviour, uint8 kind, bool cut, bytes memory answer) private {
        hostile.become(behaviour, behaviour == Behaviour.DESTROY_ITSELF ? DESTROYER : payable(address(destination)));
        for (uint256 i = 0; i < 6; ++i) {
            uint256 start = vm.snapshotState();
            byOwnAccount = i & 1 == 1;
            uint256 position = i >> 1;
            Request[] memory requests = _asked(position);
            (bytes memory without, bytes memory with) = _bothWays(requests, position);
            assertEq(with, without, "the others' logs and effects");
            uint256 id = RequestHash.id(requests[position]);
            assertEq(destination.consumed(id), slotWord(kind, id), "its own slot word");
            assertEq(
                _receipt, abi.encode(account(address(source)), kind, cut, answer, payeeWord(worker)), "its receipt"
            );
            vm.revertToState(start);
        }
        byOwnAccount = false;
    }

    /// @dev Executes the batch once with the hostile one's leaf alone, and then, from the same state, as a whole.
    function _bothWays(Request[] memory requests, uint256 position)
        private
        returns (bytes memory without, bytes memory with)
    {
        ExecuteBatch[] memory whole = executeBatch(requests);
        ExecuteBatch[] memory some = executeBatch(requests);
        uint256[] memory ids = new uint256[](2);
        some[0].items = new ExecuteItem[](2);
        for (uint256 i = 0; i < 2; ++i) {
            some[0].items[i] = whole[0].items[i < position ? i : i + 1];
            ids[i] = RequestHash.id(some[0].items[i].request);
        }
        some[0].given = 7 ^ (1 << position);
        some[0].bare = new bytes32[](1);
        some[0].bare[0] = executeLeaf(whole[0].items[position]);
        uint256 start = vm.snapshotState();
        uint256 spentWithout = _execute(some);
        without = _look(ids);
        vm.revertToState(start);
        uint256 spentWith = _execute(whole);
        with = _look(ids);
        assertTrue(spentWith < spentWithout + gasLimit + 400_000, "it costs its own gas and no more");
    }

    function _execute(ExecuteBatch[] memory batches) private returns (uint256 spent) {
        vm.recordLogs();
        vm.prank(relayer, relayer);
        spent = gasleft();
        destination.execute(batches, payeeWord(worker));
        spent -= gasleft();
    }

    function _look(uint256[] memory ids) private returns (bytes memory seen) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        seen = bytes.concat(logsOf(logs, ids), abi.encode(counter.count()));
        for (uint256 i = 0; i < ids.length; ++i) {
            assertEq(destination.consumed(ids[i]), slotWord(Kind.EXECUTED, ids[i]), "executed");
        }
        for (uint256 i = 0; i < logs.length; ++i) {
            bool concluded = logs[i].topics[0] == IXvmDestination.XVMCallConcluded.selector;
            if (concluded && uint256(logs[i].topics[1]) != ids[0] && uint256(logs[i].topics[1]) != ids[1]) {
                _receipt = logs[i].data;
            }
        }
    }

    /// @dev Three requests, the one at `position` for the hostile contract.
    function _asked(uint256 position) private returns (Request[] memory requests) {
        requests = new Request[](3);
        for (uint256 i = 0; i < 3; ++i) {
            if (i == position) (, requests[i]) = _asksForHostile();
            else (, requests[i]) = honestAsks(1);
        }
    }

    function _asksForHostile() private returns (uint256 id, Request memory request) {
        return askBy(echo, address(hostile), hex"c0dec0de", options());
    }
}
