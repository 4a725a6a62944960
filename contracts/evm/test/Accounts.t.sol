// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {XvmCounter} from "../src/examples/XvmCounter.sol";
import {XvmEcho} from "../src/examples/XvmEcho.sol";
import {IXvmAccount} from "../src/interfaces/IXvmAccount.sol";
import {IXvmAccounts} from "../src/interfaces/IXvmAccounts.sol";
import {IXvmDestination} from "../src/interfaces/IXvmDestination.sol";
import {IXvmExecutor} from "../src/interfaces/IXvmExecutor.sol";
import {Kind, Options, Request} from "../src/interfaces/XvmTypes.sol";
import {RequestHash} from "../src/libraries/RequestHash.sol";
import {Probe} from "./Actors.sol";
import {GatewayTest} from "./GatewayTest.sol";

/// @notice Gives back more than it got.
contract Refunder {
    function refund(uint256 amount) external {
        (bool paid,) = msg.sender.call{value: amount}("");
        require(paid, "refused");
    }
}

contract AccountsTest is GatewayTest {
    Probe private probe = new Probe();
    IXvmAccounts private accounts;

    function setUp() public override {
        super.setUp();
        accounts = IXvmAccounts(destination.accounts());
    }

    // ---- whose account

    function test_TheTargetIsCalledByTheSendersOwnAccount() public {
        address own = accounts.accountOf(account(address(echo)));
        assertEq(own.code.length, 0, "not created yet");
        (uint256 id, Request memory request) = _askProbe(echo, 500_000);
        execute(request);
        assertEq(probe.caller(), own, "caller");
        assertEq(probe.seen(), abi.encode(id, account(address(echo))), "the current request is the account's sender's");
        assertTrue(own.code.length != 0, "created");
        assertEq(destination.consumed(id), slotWord(Kind.EXECUTED, id), "slot word");
    }

    function test_TheAccountIsTheSameEveryTime() public {
        (, Request memory first) = _askProbe(echo, 500_000);
        execute(first);
        (, Request memory second) = _askProbe(echo, 500_000);
        execute(second);
        assertEq(probe.runs(), 2, "both ran");
        assertEq(probe.caller(), accounts.accountOf(account(address(echo))), "by one account");
    }

    function test_RequestsOfBothKindsRunSideBySide() public {
        Request[] memory requests = new Request[](3);
        (, requests[0]) = _askProbe(echo, 500_000);
        (, requests[1]) = ask(increment(5));
        (, requests[2]) = _askProbe(echo, 500_000);
        execute(executeBatch(requests));
        assertEq(countLogs(vm.getRecordedLogs(), IXvmDestination.XVMCallConcluded.selector), 3, "three receipts");
        assertEq(counter.count(), 5, "by the executor");
        assertEq(probe.runs(), 2, "by the account");
    }

    function test_SECURITY_TwoSendersNeverShareAnAccount(bytes calldata one, bytes calldata other) public view {
        vm.assume(keccak256(one) != keccak256(other));
        assertTrue(accounts.accountOf(one) != accounts.accountOf(other), "two accounts");
    }

    function test_SECURITY_TheSameAddressOnAnotherChainIsAnotherSender() public {
        (, Request memory request) = _askProbe(echo, 500_000);
        execute(request);
        address here = probe.caller();
        request.sender = InteroperableAddress.formatEvmV1(1, address(echo));
        execute(request);
        assertEq(probe.runs(), 2, "both ran");
        assertTrue(probe.caller() != here, "by two accounts");
        assertEq(probe.caller(), accounts.accountOf(request.sender), "by its own");
    }

    function test_SECURITY_EachGatewayHasAccountsOfItsOwn() public view {
        IXvmAccounts others = IXvmAccounts(source.accounts());
        bytes memory sender = account(address(echo));
        assertTrue(accounts.accountOf(sender) != others.accountOf(sender), "two accounts");
    }

    // ---- who may use it

    function test_SECURITY_OnlyTheGatewayUsesTheAccounts() public {
        assertEq(accounts.gateway(), address(destination), "its gateway");
        bytes32 senderHash = keccak256(account(address(echo)));
        vm.expectRevert(abi.encodeWithSelector(IXvmExecutor.OnlyGateway.selector, address(this)));
        accounts.run(senderHash, address(counter), 100_000, 32, increment(1));
    }

    function test_SECURITY_AnAccountObeysNobodyElse() public {
        IXvmAccount own = _createAccount();
        address[4] memory callers = [address(this), address(destination), destination.executor(), address(echo)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.prank(callers[i]);
            vm.expectRevert(abi.encodeWithSelector(IXvmAccount.OnlyAccounts.selector, callers[i]));
            own.run(address(counter), 100_000, 32, increment(1));
            vm.prank(callers[i]);
            vm.expectRevert(abi.encodeWithSelector(IXvmAccount.OnlyItself.selector, callers[i]));
            own.pay(address(this), 0);
        }
        vm.prank(address(accounts));
        vm.expectRevert(abi.encodeWithSelector(IXvmAccount.OnlyItself.selector, address(accounts)));
        own.pay(address(this), 0);
    }

    /// @notice SECURITY: naming somebody's account as the target opens it no more than calling it does.
    function test_SECURITY_NobodyReachesAnAccountByARequest() public {
        IXvmAccount victim = _createAccount();
        vm.deal(address(victim), 1 ether);
        XvmEcho thief = newEcho();
        vm.deal(address(thief), 10 ether);
        bytes[2] memory moves = [
            abi.encodeCall(IXvmAccount.pay, (address(thief), 1 ether)),
            abi.encodeCall(IXvmAccount.run, (address(counter), 100_000, 32, increment(1)))
        ];
        for (uint256 i = 0; i < 4; ++i) {
            Options memory options;
            options.ownAccount = i & 1 == 1;
            (uint256 id, Request memory request) = askBy(thief, address(victim), moves[i >> 1], options);
            execute(request);
            assertEq(destination.consumed(id), slotWord(Kind.REVERTED, id), "refused");
        }
        assertEq(address(victim).balance, 1 ether, "untouched");
        assertEq(counter.count(), 0, "nothing is run");
    }

    /// @notice SECURITY: a target that an account calls cannot make that account, or another, do anything more.
    function test_SECURITY_ATargetCannotReuseTheAccountThatCallsIt() public {
        IXvmAccount own = _createAccount();
        vm.deal(address(own), 1 ether);
        (, Request memory other) = ask(increment(1));
        bytes32 senderHash = keccak256(account(address(echo)));
        address[4] memory doors = [address(own), address(own), address(accounts), address(destination)];
        bytes[4] memory moves = [
            abi.encodeCall(IXvmAccount.pay, (address(probe), 1 ether)),
            abi.encodeCall(IXvmAccount.run, (address(counter), 50_000, 32, increment(1))),
            abi.encodeCall(IXvmAccounts.run, (senderHash, address(counter), 50_000, 32, increment(1))),
            abi.encodeCall(destination.execute, (executeBatch(other), bytes32(0)))
        ];
        for (uint256 i = 0; i < moves.length; ++i) {
            probe.setMove(doors[i], moves[i]);
            (, Request memory request) = _askProbe(echo, 1_000_000);
            execute(request);
            assertEq(probe.runs(), i + 1, "the target ran");
            assertTrue(!probe.worked(), "and was refused");
        }
        assertEq(counter.count(), 0, "nothing is run");
        assertEq(address(own).balance, 1 ether, "untouched");
    }

    // ---- gas and answers

    /// @notice SECURITY: with whatever gas a submitter sends, the target starts with exactly its gas, or nothing happened: whether
    /// the account is created on the way or stands already.
    function test_SECURITY_TheTargetGetsExactlyItsGasAfterAllHops() public {
        _checkGas(400_000, 850_000);
        _createAccount();
        _checkGas(400_000, 850_000);
    }

    function test_SECURITY_ADelegatedTargetGetsItsGasAsWell() public {
        address delegated = address(0x7702);
        vm.etch(delegated, abi.encodePacked(hex"ef0100", address(probe)));
        (, Request memory request) = _askOwn(echo, delegated, _touch(), 400_000);
        bytes memory call = abi.encodeCall(destination.execute, (executeBatch(request), payeeWord(worker)));
        uint256 least = type(uint256).max;
        for (uint256 gasLimit = 500_000; gasLimit < 800_000; gasLimit += 1500) {
            uint256 state = vm.snapshotState();
            vm.prank(relayer, relayer);
            (bool success,) = address(destination).call{gas: gasLimit}(call);
            if (success && Probe(delegated).gasAtEntry() < least) least = Probe(delegated).gasAtEntry();
            vm.revertToState(state);
        }
        assertTrue(least > 399_000 && least <= 400_000, "never starved");
    }

    function test_AFailingTargetIsReverted() public {
        (uint256 id, Request memory request) =
            _askOwn(echo, address(counter), abi.encodeCall(XvmCounter.fail, (7)), 500_000);
        execute(request);
        assertConcluded(id, Kind.REVERTED, false, abi.encodeWithSelector(XvmCounter.Refused.selector, 7));
        assertTrue(accounts.accountOf(account(address(echo))).code.length != 0, "the account stays");
    }

    function test_ATargetThatBurnsItsGasIsReverted() public {
        (uint256 id, Request memory request) =
            _askOwn(echo, address(counter), abi.encodeCall(XvmCounter.burn, ()), 500_000);
        execute(request);
        assertConcluded(id, Kind.REVERTED, false, "");
    }

    /// @notice SECURITY: return bombs of both kinds are cut at the request's limit.
    function test_SECURITY_AnswersAreCutAtTheLimit(uint16 length, uint16 limit, bool reverting) public {
        Options memory options;
        options.ownAccount = true;
        options.returnLimit = uint32(bound(limit, 1, 2048));
        (uint256 id, Request memory request) =
            askBy(echo, address(probe), abi.encodeCall(Probe.bomb, (length, reverting)), options);
        execute(request);
        bool cut = length > options.returnLimit;
        assertConcluded(
            id, reverting ? Kind.REVERTED : Kind.EXECUTED, cut, new bytes(cut ? options.returnLimit : length)
        );
    }

    // ---- money

    function test_AnAccountTakesWhatItsTargetGivesBackAndItsSenderMovesIt() public {
        Refunder refunder = new Refunder();
        vm.deal(address(refunder), 5);
        address own = accounts.accountOf(account(address(echo)));
        (, Request memory request) = _askOwn(echo, address(refunder), abi.encodeCall(Refunder.refund, (5)), 500_000);
        execute(request);
        assertEq(own.balance, 5, "taken");
        (uint256 id, Request memory onward) = _askOwn(echo, own, abi.encodeCall(IXvmAccount.pay, (worker, 3)), 500_000);
        execute(onward);
        assertConcluded(id, Kind.EXECUTED, false, "");
        assertEq(worker.balance, 3, "moved on");
        (id, onward) = _askOwn(echo, own, abi.encodeCall(IXvmAccount.pay, (address(counter), 1)), 500_000);
        execute(onward);
        assertConcluded(
            id, Kind.REVERTED, false, abi.encodeWithSelector(IXvmAccount.PaymentRefused.selector, address(counter))
        );
        assertEq(own.balance, 2, "what is refused stays");
    }

    function test_AnAccountIsCreatedWhereMoneyWaitsAlready() public {
        IXvmAccount own = IXvmAccount(payable(accounts.accountOf(account(address(echo)))));
        vm.deal(address(own), 1 ether);
        _createAccount();
        assertTrue(address(own).code.length != 0, "created");
        assertEq(address(own).balance, 1 ether, "with its money");
    }

    function _checkGas(uint256 from, uint256 to) private {
        (, Request memory request) = _askProbe(echo, 400_000);
        bytes memory call = abi.encodeCall(destination.execute, (executeBatch(request), payeeWord(worker)));
        uint256 start = vm.snapshotState();
        execute(request);
        uint256 exact = probe.gasAtEntry();
        assertTrue(exact <= 400_000 && exact > 399_000, "what is left of it at the target's first line");
        vm.revertToState(start);
        bytes memory refusal = abi.encodeWithSelector(IXvmExecutor.InsufficientExecutionGas.selector, 400_000);
        (uint256 refusals, uint256 executions) = (0, 0);
        for (uint256 gasLimit = from; gasLimit < to; gasLimit += 1500) {
            uint256 state = vm.snapshotState();
            vm.recordLogs();
            vm.prank(relayer, relayer);
            (bool success, bytes memory reason) = address(destination).call{gas: gasLimit}(call);
            if (success) {
                ++executions;
                assertEq(probe.gasAtEntry(), exact, "the same gas, however much was sent");
                assertConcluded(RequestHash.id(request), Kind.EXECUTED, false, "");
            } else if (reason.length != 0) {
                ++refusals;
                assertEq(reason, refusal, "the reason");
            }
            vm.revertToState(state);
        }
        assertTrue(refusals > 10 && executions > 10, "both were seen");
    }

    function _createAccount() private returns (IXvmAccount own) {
        (, Request memory request) = _askOwn(echo, address(counter), increment(0), 500_000);
        execute(request);
        own = IXvmAccount(payable(accounts.accountOf(account(address(echo)))));
    }

    function _askProbe(XvmEcho who, uint64 gasLimit) private returns (uint256, Request memory) {
        return _askOwn(who, address(probe), _touch(), gasLimit);
    }

    function _askOwn(XvmEcho who, address target, bytes memory payload, uint64 gasLimit)
        private
        returns (uint256, Request memory)
    {
        Options memory options;
        options.ownAccount = true;
        options.executionGasLimit = gasLimit;
        return askBy(who, target, payload, options);
    }

    function _touch() private view returns (bytes memory) {
        return abi.encodeCall(Probe.touch, (IXvmDestination(address(destination))));
    }
}
