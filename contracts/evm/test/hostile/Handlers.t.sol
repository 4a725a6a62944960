// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmGateway} from "../../src/interfaces/IXvmGateway.sol";
import {IXvmSource} from "../../src/interfaces/IXvmSource.sol";
import {DeliverBatch, Kind, OutcomeItem, Request, State} from "../../src/interfaces/XvmTypes.sol";
import {RequestHash} from "../../src/libraries/RequestHash.sol";
import {StatementHash} from "../../src/libraries/StatementHash.sol";
import {Vm} from "../Vm.sol";
import {Behaviour, Hostile} from "./Hostile.sol";
import {HostileTest} from "./HostileTest.sol";

/// @notice Asks again whenever it is paid back, so many times.
contract Insatiable {
    address private immutable GATEWAY;
    bytes private _asking;
    uint256 private _left;

    constructor(address gateway, bytes memory asking) {
        GATEWAY = gateway;
        _asking = asking;
    }

    receive() external payable {
        if (_left == 0) return;
        --_left;
        _ask();
    }

    function start(uint256 more) external {
        _left = more;
        _ask();
    }

    function _ask() private {
        (bool success,) = GATEWAY.call{value: 20 ether}(_asking);
        require(success, "refused");
    }
}

/// @notice Hostile handlers at every place of a batch of deliveries. The others' results, money and logs are exactly as without.
contract HandlersTest is HostileTest {
    /// @dev What a delivery left behind for all but the hostile one.
    struct Seen {
        bytes logs;
        bytes results;
        uint256 payee;
        uint256 deliverer;
        uint256 signers;
    }

    function test_SECURITY_AHandlerThatRevertsHarmsNoOther() public {
        _harmsNoOther(Behaviour.REVERT, State.HANDLER_FAILED);
        _harmsNoOther(Behaviour.REVERT_WITH_DATA, State.HANDLER_FAILED);
    }

    function test_SECURITY_AHandlerThatBurnsAllItsGasHarmsNoOther() public {
        gasLimit = 500_000;
        _harmsNoOther(Behaviour.INVALID, State.HANDLER_FAILED);
        _harmsNoOther(Behaviour.LOOP, State.HANDLER_FAILED);
    }

    function test_SECURITY_AHandlerThatAnswersAMegabyteHarmsNoOther() public {
        gasLimit = BOMB_GAS;
        _harmsNoOther(Behaviour.RETURN_BOMB, State.NONE);
        _harmsNoOther(Behaviour.REVERT_BOMB, State.HANDLER_FAILED);
    }

    function test_AHandlerThatSpendsAllItWasGivenHasRun() public {
        gasLimit = 500_000;
        _harmsNoOther(Behaviour.SPEND_ALL_BUT_LITTLE, State.NONE);
    }

    /// @notice Since Cancun a contract that destroys itself loses its money and no code. Money forced on a gateway is nobody's.
    function test_AHandlerThatDestroysItselfHarmsNoOther() public {
        hostile.become(Behaviour.DESTROY_ITSELF, DESTROYER);
        OutcomeItem[] memory items = _asked(1);
        uint256 forced = address(hostile).balance;
        (Seen memory without, Seen memory with) = _bothWays(items, 1, State.NONE);
        _same(without, with);
        assertEq(address(hostile).balance, 0, "its money is gone");
        assertTrue(address(hostile).code.length != 0, "its code is not");
        assertAllOwed(0, forced);
        vm.deal(address(hostile), 10 ether);
        (uint256 id,) = hostileAsks();
        deliver(outcome(id, Kind.EXECUTED, ""));
        assertEq(hostile.calls(), 2, "it is called again");
    }

    /// @notice SECURITY: a handler's transient storage is its own, and outside an execution no request is current.
    function test_SECURITY_AHandlerCannotPretendThatARequestIsCurrent() public {
        _harmsNoOther(Behaviour.WRITE_TRANSIENT, State.NONE);
        hostile.become(Behaviour.WRITE_TRANSIENT, payable(address(destination)));
        OutcomeItem[] memory items = new OutcomeItem[](2);
        for (uint256 i = 0; i < 2; ++i) {
            (uint256 id,) = hostileAsks();
            items[i] = outcome(id, Kind.EXECUTED, "");
        }
        deliver(deliverBatch(items));
        assertEq(hostile.transientAtEntry(), 0xbad, "what its first callback wrote");
        assertEq(hostile.currentAtEntry(), 0, "no current request");
        (uint256 current, bytes memory sender) = source.currentRequest();
        assertEq(current + sender.length, 0, "at neither gateway");
    }

    // ---- accounts that delegate (EIP-7702)

    function test_AnAccountThatAskedAndThenDelegatedGetsTheEventAlone() public {
        (uint256 id,) = askAsEoa(increment(1));
        vm.etch(alice, abi.encodePacked(hex"ef0100", address(hostile)));
        deliver(outcome(id, Kind.EXECUTED, ""));
        onlyLog(vm.getRecordedLogs(), IXvmSource.XVMCallbackDelivered.selector);
        assertEq(Hostile(payable(alice)).calls(), 0, "not called");
    }

    function test_SECURITY_ADelegatedAccountAsAHandlerHarmsNoOther() public {
        Hostile code = hostile;
        address delegated = address(0x7702);
        vm.etch(delegated, abi.encodePacked(hex"ef0100", address(code)));
        vm.deal(delegated, 1000 ether);
        hostile = Hostile(payable(delegated));
        gasLimit = 500_000;
        _harmsNoOther(Behaviour.LOOP, State.HANDLER_FAILED);
        _harmsNoOther(Behaviour.SPEND_ALL_BUT_LITTLE, State.NONE);
        // it asks by its code, and takes that back before the callback: a call to no code succeeds
        OutcomeItem[] memory items = _asked(1);
        vm.etch(delegated, "");
        (Seen memory without, Seen memory with) = _bothWays(items, 1, State.NONE);
        _same(without, with);
    }

    // ---- re-entering

    /// @notice SECURITY: from within its callback a handler tries every door of the system. What works harms nobody.
    function test_SECURITY_AHandlerThatTriesEveryDoorHarmsNoOther() public {
        (uint256 open, Request memory openRequest) = honestAsks(1);
        (uint256 late, Request memory lateRequest) = honestAsks(1);
        (uint256 given, Request memory givenRequest) = _cancelled();
        OutcomeItem[] memory items = _asked(1);
        items[1].kind = Kind.EXPIRED;
        _sourceDoors(deliverBatch(items), openRequest, givenRequest);
        verifierDoor(sourceVerifier);
        destinationDoors(openRequest, lateRequest);
        hostile.become(Behaviour.REENTER, payable(address(destination)));
        uint256 fees = feeOf(open) + feeOf(late) + feeOf(given);

        (Seen memory without, Seen memory with) = _bothWays(items, 1, State.NONE);
        assertEq(with.logs, without.logs, "the others' logs");
        assertEq(with.results, without.results, "the others' results");
        assertEq(hostile.calls(), 1, "called once");
        assertDoors();
        assertEq(source.nonces(address(hostile)), 3, "it asked twice more");
        uint256 asked = source.quote(CHAIN, 36) + source.quote(account(address(counter)), 36, options());
        assertAllOwed(fees + 1 ether + asked, 0);
        assertEq(sourceVerifier.currentEpoch(), 2, "whoever brings a good rotation may bring it");
    }

    /// @dev Every entry point of the source's side, with what it answers a handler.
    function _sourceDoors(DeliverBatch[] memory batches, Request memory open, Request memory given) private {
        address here = address(source);
        OutcomeItem memory own = batches[0].outcomes[1];
        bytes memory simple = abi.encodeWithSignature(
            "xvmExecute(uint256,address,bytes4,bytes)", CHAIN, counter, counter.increment.selector, abi.encode(1)
        );
        door(here, 10 ether, simple, OPEN);
        door(here, 10 ether, askingCall(), OPEN);
        door(here, 1 ether, abi.encodeCall(source.addFee, (RequestHash.id(open))), OPEN);
        door(here, 1 ether, abi.encodeCall(source.addFee, (own.requestId)), IXvmSource.NotPending.selector);
        door(here, 0, abi.encodeCall(source.deliver, (batches)), IXvmGateway.ContractCaller.selector);
        door(here, 0, abi.encodeCall(source.retryCallback, (own, MOST_GAS)), IXvmGateway.ContractCaller.selector);
        door(here, 0, abi.encodeCall(source.cancel, (open)), IXvmSource.NotRequester.selector);
        door(here, 10 ether, abi.encodeCall(source.retry, (given, 0, 0)), IXvmSource.NotRequester.selector);
        door(here, 0, abi.encodeCall(source.reclaim, (RequestHash.id(given))), IXvmSource.TooEarlyToReclaim.selector);
        door(here, 0, abi.encodeCall(source.reclaim, (own.requestId)), IXvmSource.NotCancelled.selector);
        door(here, 0, abi.encodeCall(source.withdraw, (address(hostile))), OPEN);
        door(here, 0, abi.encodeCall(source.withdraw, (address(hostile))), IXvmGateway.NoCredit.selector);
        door(here, 0, abi.encodeCall(source.collectForSigners, (relayerAlone())), OPEN);
        door(here, 0, abi.encodeCall(source.paySigners, (address(sourceVerifier), 2)), IXvmGateway.NoCredit.selector);
    }

    /// @notice SECURITY: a requester that is given back what it overpaid may ask again from there: nonces have no gap, nothing is lost.
    function test_SECURITY_ARequesterMayAskAgainWhileItIsPaidBack() public {
        Insatiable asker = new Insatiable(address(source), askingCall());
        vm.deal(address(asker), 100 ether);
        uint256 paid = address(asker).balance;
        vm.recordLogs();
        asker.start(3);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(countLogs(logs, IXvmSource.XVMCallRequested.selector), 4, "four requests");
        assertEq(source.nonces(address(asker)), 4, "four nonces");
        uint256 fees;
        for (uint256 i = 0; i < logs.length; ++i) {
            (Request memory request, uint256 fee,) = abi.decode(logs[i].data, (Request, uint256, uint64));
            assertEq(request.nonce, i, "told in their order");
            assertEq(feeOf(uint256(logs[i].topics[1])), fee, "escrowed");
            fees += fee;
        }
        assertEq(address(asker).balance + fees, paid, "the rest is back");
        assertEq(address(source).balance, fees, "and the fees are here");
    }

    // ---- how it is looked at

    function _harmsNoOther(Behaviour behaviour, uint8 state) private {
        hostile.become(behaviour, payable(address(destination)));
        for (uint256 position = 0; position < 3; ++position) {
            uint256 start = vm.snapshotState();
            OutcomeItem[] memory items = _asked(position);
            (Seen memory without, Seen memory with) = _bothWays(items, position, state);
            _same(without, with);
            assertAllOwed(0, 0);
            vm.revertToState(start);
        }
    }

    function _same(Seen memory without, Seen memory with) private pure {
        assertEq(with.logs, without.logs, "the others' logs");
        assertEq(with.results, without.results, "the others' results");
        // all three paid the same
        assertEq(2 * with.payee, 3 * without.payee, "who executed is paid for all");
        assertEq(2 * with.deliverer, 3 * without.deliverer, "and so is who delivered");
        assertEq(2 * with.signers, 3 * without.signers, "and the signers");
    }

    /// @dev Delivers the batch once with the hostile one's leaf alone, and then, from the same state, as a whole.
    function _bothWays(OutcomeItem[] memory items, uint256 position, uint8 state)
        private
        returns (Seen memory without, Seen memory with)
    {
        DeliverBatch[] memory whole = deliverBatch(items);
        DeliverBatch[] memory some = deliverBatch(items);
        OutcomeItem[] memory honest = new OutcomeItem[](2);
        (honest[0], honest[1]) = (items[position == 0 ? 1 : 0], items[position == 2 ? 1 : 2]);
        some[0].outcomes = honest;
        some[0].given = 7 ^ (1 << position);
        some[0].bare = new bytes32[](1);
        some[0].bare[0] = StatementHash.leaf(outcomeHash(items[position]));
        uint256 start = vm.snapshotState();
        uint256 spentWithout = _deliver(some);
        without = _look(honest);
        vm.revertToState(start);
        uint256 spentWith = _deliver(whole);
        with = _look(honest);
        assertEq(source.pendingRequest(items[position].requestId).state, state, "the hostile one's state");
        assertTrue(spentWith < spentWithout + gasLimit + 150_000, "it costs its own gas and no more");
    }

    function _deliver(DeliverBatch[] memory batches) private returns (uint256 spent) {
        vm.recordLogs();
        vm.prank(relayer, relayer);
        spent = gasleft();
        source.deliver(batches);
        spent -= gasleft();
    }

    function _look(OutcomeItem[] memory honest) private returns (Seen memory seen) {
        uint256[] memory ids = new uint256[](honest.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            ids[i] = honest[i].requestId;
            assertTrue(echo.results(ids[i]).arrived, "called back");
            seen.results = bytes.concat(
                seen.results, abi.encode(echo.results(ids[i]), echo.callbacks(), source.pendingRequest(ids[i]))
            );
        }
        seen.logs = logsOf(vm.getRecordedLogs(), ids);
        seen.payee = source.credits(worker);
        seen.deliverer = source.credits(relayer);
        seen.signers = source.uncollected(relayer);
    }

    /// @dev Three requests, the one at `position` by the hostile contract.
    function _asked(uint256 position) private returns (OutcomeItem[] memory items) {
        items = new OutcomeItem[](3);
        for (uint256 i = 0; i < 3; ++i) {
            uint256 id;
            if (i == position) (id,) = hostileAsks();
            else (id,) = honestAsks(i);
            items[i] = outcome(id, Kind.EXECUTED, abi.encode(i));
        }
    }

    function _cancelled() private returns (uint256 id, Request memory request) {
        (id, request) = askAsEoa(increment(1));
        vm.roll(HEIGHT + 121);
        vm.warp(START + 401);
        vm.prank(alice);
        source.cancel(request);
    }
}
