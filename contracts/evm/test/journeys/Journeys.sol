// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmDestination} from "../../src/interfaces/IXvmDestination.sol";
import {
    Direction,
    Kind,
    Options,
    OutcomeItem,
    Request,
    RequestByHash,
    SignerSet,
    State
} from "../../src/interfaces/XvmTypes.sol";
import {StatementHash} from "../../src/libraries/StatementHash.sol";
import {EcdsaVerifier} from "../../src/verifiers/EcdsaVerifier.sol";
import {GatewayTest} from "../GatewayTest.sol";
import {Vm} from "../Vm.sol";
import {Asker, Ledger} from "./Witnesses.sol";

/// @notice Requests from a gateway to another and back, with real certificates, retries and rotations, by anybody in any order.
contract Journeys is GatewayTest {
    struct Journey {
        uint256 id;
        uint256 tag;
        address requester;
        bool concluded;
        bool cancelled;
        bytes request;
        bytes outcome;
    }

    uint64 private constant DAY = 1 days;

    Journey[] private _journeys;
    mapping(uint256 requestId => uint256) private _placeOf;
    mapping(address requester => uint256) private _asked;
    uint256 private _tags;
    uint256 private _height = HEIGHT;
    uint256 private _time = START;

    Ledger public ledger;
    Asker[2] public askers;
    uint256 public rotations;

    /// @notice A nonce was not the next.
    bool public nonceGap;

    /// @notice A request left two receipts. Told here: what an action asserts reverts the action, and with it what it saw.
    bool public concludedTwice;

    function prepare() external {
        setUp();
        ledger = new Ledger();
        for (uint256 i = 0; i < 2; ++i) {
            askers[i] = new Asker(address(source));
            vm.deal(address(askers[i]), 1e6 ether);
        }
        vm.deal(alice, 1e6 ether);
    }

    // ---- what anybody may do

    function ask(uint256 who, bool ordered, bool ownAccount, bool failing, uint16 lasts) external {
        who = who % 3;
        Options memory options;
        options.ordered = ordered;
        options.ownAccount = ownAccount;
        if (lasts % 2 == 0 && !ordered) options.expiry = uint64(_time + bound(lasts, 20, 1000));
        uint256 tag = ++_tags;
        bytes memory payload = abi.encodeCall(Ledger.note, (tag, ordered ? who + 1 : 0, failing));
        _send(
            who,
            abi.encodeWithSignature(
                "xvmExecute(bytes,bytes,(uint8,bool,uint64,uint64,uint32,uint64,bool,bytes32,uint32,uint64,bytes))",
                account(address(ledger)),
                payload,
                options
            )
        );
        _begin(tag);
    }

    function executeSome(uint256 which, uint8 count) external {
        if (_journeys.length == 0) return;
        Request[] memory requests = new Request[](bound(count, 1, 3));
        for (uint256 i = 0; i < requests.length; ++i) {
            requests[i] = _requestOf((_pick(which) + i) % _journeys.length);
        }
        execute(executeBatch(requests));
        _conclude();
    }

    function expireOne(uint256 which) external {
        if (_journeys.length == 0) return;
        _expire(_pick(which));
    }

    function showLapsed(uint256 which) external {
        if (_journeys.length == 0) return;
        RequestByHash[] memory requests = new RequestByHash[](1);
        requests[0] = byHash(_requestOf(_pick(which)));
        destination.showLapsed(requests);
    }

    /// @dev Also what was delivered before: it is skipped then.
    function deliverSome(uint256 which, uint8 count) external {
        if (_journeys.length == 0) return;
        OutcomeItem[] memory items = new OutcomeItem[](bound(count, 1, 3));
        for (uint256 i = 0; i < items.length; ++i) {
            Journey storage journey = _journeys[(_pick(which) + i) % _journeys.length];
            if (!journey.concluded) return;
            items[i] = abi.decode(journey.outcome, (OutcomeItem));
        }
        deliver(deliverBatch(items));
    }

    function cancel(uint256 which) external {
        if (_journeys.length == 0) return;
        _cancel(_pick(which));
    }

    function retry(uint256 which) external {
        if (_journeys.length == 0) return;
        Journey storage journey = _journeys[_pick(which)];
        bool pending = source.pendingRequest(journey.id).state == State.PENDING;
        Request memory request = abi.decode(journey.request, (Request));
        _send(_whoIs(journey.requester), abi.encodeCall(source.retry, (request, 0, 0)));
        if (pending) journey.cancelled = true;
        _begin(journey.tag);
    }

    function reclaim(uint256 which) external {
        if (_journeys.length == 0) return;
        source.reclaim(_journeys[_pick(which)].id);
    }

    function setFailing(uint256 who, bool failing) external {
        askers[who % 2].setFailing(failing);
    }

    function replay(uint256 which) external {
        if (_journeys.length == 0) return;
        _replay(_pick(which));
    }

    function topUp(uint256 which, uint96 amount) external {
        if (_journeys.length == 0) return;
        vm.prank(worker);
        vm.deal(worker, 100 ether);
        source.addFee{value: bound(amount, 1, 10 ether)}(_journeys[_pick(which)].id);
    }

    function withdraw(uint256 who) external {
        _withdraw(who % 6);
    }

    function shareOut(bool first) external {
        source.collectForSigners(relayerAlone());
        source.paySigners(address(sourceVerifier), first ? 1 : sourceVerifier.currentEpoch());
    }

    function rotateBoth() external {
        _rotate(sourceVerifier);
        _rotate(destinationVerifier);
        ++rotations;
    }

    function pauseCallbacks(uint8 blocks_) external {
        source.pause(Direction.CALLBACKS, uint32(bound(blocks_, 1, 200)));
    }

    /// @dev Mostly minutes, often until a request may be given up, at times days. Nothing else may pass time: what a cheatcode
    /// moved stays moved when an action reverts.
    function pass(uint16 blocks_) external {
        if (blocks_ % 4 == 1) _pass(200, 1400);
        else _pass(bound(blocks_, 1, 200), blocks_ % 8 == 0 ? 2 * DAY : bound(blocks_, 1, 400));
    }

    // ---- the end of everything

    /// @notice From wherever the requests stand, time and what anybody may do end them: each second one is given up by its
    /// requester, all others expire or are delivered. Of those given up the outcome is shown too, if there is one, or they are
    /// reclaimed.
    function finish() external {
        source.unpause(Direction.CALLBACKS);
        _pass(2000, 2000);
        for (uint256 i = 0; i < 2; ++i) {
            askers[i].setFailing(false);
        }
        for (uint256 i = 0; i < _journeys.length; ++i) {
            uint8 state = source.pendingRequest(_journeys[i].id).state;
            if (state == State.HANDLER_FAILED) _replay(i);
            if (state == State.PENDING && i % 2 == 0) _cancel(i);
            if (state == State.PENDING && i % 2 == 1) _end(i);
            if (_journeys[i].cancelled && _journeys[i].concluded) {
                deliver(abi.decode(_journeys[i].outcome, (OutcomeItem)));
            }
        }
        _pass(1, 8 * DAY);
        for (uint256 i = 0; i < _journeys.length; ++i) {
            if (source.pendingRequest(_journeys[i].id).state == State.CANCELLED) source.reclaim(_journeys[i].id);
            assertEq(source.pendingRequest(_journeys[i].id).state, State.NONE, "over and done");
        }
        source.collectForSigners(relayerAlone());
        for (uint64 epoch = 1; epoch <= sourceVerifier.currentEpoch(); ++epoch) {
            if (source.signersPool(address(sourceVerifier), epoch) != 0) {
                source.paySigners(address(sourceVerifier), epoch);
            }
        }
        for (uint256 i = 0; i < 6; ++i) {
            if (source.credits(_payable(i)) != 0) _withdraw(i);
        }
        assertEq(address(source).balance, 0, "everybody has what is theirs");
        this.checkWhatWasTold();
    }

    // ---- what must hold

    function owed() external view returns (uint256 sum) {
        for (uint256 i = 0; i < _journeys.length; ++i) {
            sum += source.pendingRequest(_journeys[i].id).fee;
        }
        for (uint256 i = 0; i < 6; ++i) {
            sum += source.credits(_payable(i));
        }
        for (uint64 epoch = 1; epoch <= sourceVerifier.currentEpoch(); ++epoch) {
            sum += source.signersPool(address(sourceVerifier), epoch);
        }
        sum += source.uncollected(relayer);
    }

    function held() external view returns (uint256) {
        return address(source).balance;
    }

    function checkWhatWasTold() external view {
        assertTrue(!concludedTwice, "one receipt");
        for (uint256 i = 0; i < _journeys.length; ++i) {
            Journey storage journey = _journeys[i];
            if (journey.requester == alice) continue;
            Asker asker = Asker(payable(journey.requester));
            assertTrue(asker.told(journey.id) <= 1, "told at most once");
            assertTrue(!journey.cancelled || asker.told(journey.id) == 0, "who gave up is told nothing");
            assertTrue(!asker.succeeded(journey.id) || ledger.runs(journey.tag) == 1, "a success has happened");
        }
    }

    function checkNoncesAndEpochs() external view {
        assertTrue(!nonceGap, "nonces rise by one");
        for (uint256 i = 0; i < 3; ++i) {
            assertEq(source.nonces(_payable(i)), _asked[_payable(i)], "a nonce a request");
        }
        assertEq(sourceVerifier.currentEpoch(), rotations + 1, "epochs rise by one");
        assertEq(destinationVerifier.currentEpoch(), rotations + 1, "on both sides");
    }

    // ---- how it is done

    /// @dev By the signers of the newest epoch.
    function certificate(EcdsaVerifier verifier, bytes32[] memory leaves)
        internal
        view
        override
        returns (bytes memory)
    {
        uint64 epoch = verifier.currentEpoch();
        return certificate(verifier, epoch, rootOf(leaves), leaves.length, _secretsAt(epoch));
    }

    function _secretsAt(uint64 epoch) private view returns (uint256[] memory secrets) {
        if (epoch == 1) return keys;
        secrets = new uint256[](4);
        for (uint256 i = 0; i < 4; ++i) {
            secrets[i] = 0x10000 * uint256(epoch) + i;
        }
    }

    function _rotate(EcdsaVerifier verifier) private {
        uint64 epoch = verifier.currentEpoch();
        SignerSet memory set = signerSet(_secretsAt(epoch + 1), 3);
        set.validUntil = uint64(_time + 36_500 * DAY);
        bytes32 leaf = StatementHash.rotateLeaf(verifier.hashSignerSet(set), epoch + 1);
        verifier.rotate(set, certificate(verifier, epoch, leaf, 1, _secretsAt(epoch)));
    }

    function _pass(uint256 blocks_, uint256 seconds_) private {
        // a signer set lasts for a year
        if (rotations == 0 && _time + seconds_ > START + 300 * DAY) return;
        _height += blocks_;
        _time += seconds_;
        vm.roll(_height);
        vm.warp(_time);
    }

    /// @dev Any request, or as often one of the last three: those have the most before them.
    function _pick(uint256 which) private view returns (uint256) {
        uint256 count = _journeys.length;
        if (which % 2 == 0 || count < 3) return which / 2 % count;
        return count - 1 - which / 2 % 3;
    }

    /// @dev 0 and 1: the contracts; 2: an account of its own.
    function _send(uint256 who, bytes memory data) private {
        vm.recordLogs();
        if (who < 2) {
            askers[who].forward(1 ether, data);
            return;
        }
        vm.prank(alice, alice);
        (bool success,) = address(source).call{value: 1 ether}(data);
        require(success, "refused");
    }

    function _begin(uint256 tag) private {
        (uint256 id, Request memory request) = lastRequest();
        address requester = source.pendingRequest(id).requester;
        if (request.nonce != _asked[requester]++) nonceGap = true;
        _journeys.push(Journey(id, tag, requester, false, false, abi.encode(request), ""));
        _placeOf[id] = _journeys.length;
    }

    /// @dev Takes the receipts of the logs recorded last for outcomes.
    function _conclude() private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IXvmDestination.XVMCallConcluded.selector) continue;
            (, uint8 kind, bool cut, bytes memory returnData,) =
                abi.decode(logs[i].data, (bytes, uint8, bool, bytes, bytes32));
            Journey storage journey = _journeys[_placeOf[uint256(logs[i].topics[1])] - 1];
            if (journey.concluded) concludedTwice = true;
            OutcomeItem memory item = outcome(journey.id, kind, returnData);
            item.cut = cut;
            journey.concluded = true;
            journey.outcome = abi.encode(item);
        }
    }

    function _expire(uint256 i) private {
        vm.recordLogs();
        destination.expire(expireBatch(_requestOf(i)), payeeWord(worker));
        _conclude();
    }

    /// @dev Delivers what became of a request; what became of nothing has expired.
    function _end(uint256 i) private {
        if (!_journeys[i].concluded) _expire(i);
        if (_journeys[i].concluded) {
            deliver(abi.decode(_journeys[i].outcome, (OutcomeItem)));
        } else {
            // a retry of it ran here: this attempt has no receipt and never will
            _cancel(i);
        }
    }

    function _cancel(uint256 i) private {
        Request memory request = _requestOf(i);
        bytes memory data = abi.encodeCall(source.cancel, (request));
        if (_journeys[i].requester == alice) {
            vm.prank(alice);
            source.cancel(request);
        } else {
            Asker(payable(_journeys[i].requester)).forward(0, data);
        }
        _journeys[i].cancelled = true;
    }

    function _replay(uint256 i) private {
        OutcomeItem memory item = abi.decode(_journeys[i].outcome, (OutcomeItem));
        vm.prank(alice, alice);
        source.retryCallback(item, 400_000);
    }

    function _withdraw(uint256 who) private {
        address creditor = _payable(who);
        if (who < 2) {
            askers[who].forward(0, abi.encodeCall(source.withdraw, (creditor)));
        } else {
            vm.prank(creditor);
            source.withdraw(creditor);
        }
    }

    function _payable(uint256 who) private view returns (address) {
        if (who < 2) return address(askers[who]);
        address[4] memory accounts = [alice, worker, relayer, treasury];
        return accounts[who - 2];
    }

    function _whoIs(address requester) private view returns (uint256) {
        return requester == address(askers[0]) ? 0 : requester == address(askers[1]) ? 1 : 2;
    }

    function _requestOf(uint256 i) private view returns (Request memory) {
        return abi.decode(_journeys[i].request, (Request));
    }
}
