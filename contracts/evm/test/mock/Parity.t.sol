// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {XvmCounter} from "../../src/examples/XvmCounter.sol";
import {IXvmDestination} from "../../src/interfaces/IXvmDestination.sol";
import {IXvmGateway} from "../../src/interfaces/IXvmGateway.sol";
import {IXvmRoutes} from "../../src/interfaces/IXvmRoutes.sol";
import {IXvmSource} from "../../src/interfaces/IXvmSource.sol";
import {
    DeliverBatch,
    ExecuteBatch,
    ExpireBatch,
    Kind,
    Mode,
    Options,
    OutcomeItem,
    Request
} from "../../src/interfaces/XvmTypes.sol";
import {XvmMockGateway} from "../../src/mock/XvmMockGateway.sol";
import {XvmGateway} from "../../src/XvmGateway.sol";
import {Asker} from "../client/Asker.sol";
import {GatewayTest} from "../GatewayTest.sol";
import {Vm} from "../Vm.sol";

/// @notice Plays each scene twice, at the same addresses: with a real gateway, its certificates and its verifier, and with the mock.
/// Logs (so ids, events, callbacks) and what is stored must be equal, byte for byte.
contract ParityTest is GatewayTest {
    enum Ending {
        DELIVERED,
        EXPIRED,
        UNREACHED
    }

    /// @dev When the price has settled.
    uint256 private constant BASE = HEIGHT + QUOTE_BLOCKS;

    Options private _options;
    bool private _isReal;
    XvmMockGateway private _mock;
    Asker private _asker;

    function setUp() public override {
        super.setUp();
        // the mock's price knows no lengths, and the payee of an expired request keeps a fifth of its share
        IXvmRoutes.Price memory flat = price();
        flat.executionOverheadGas = 0;
        flat.executionGasPerByte = 0;
        flat.callbackGasPerByte = 0;
        flat.expireGas = 100_000;
        sourceRoutes.setPrice(chain(), flat);
        vm.roll(BASE);
    }

    function test_WhatReturns() public {
        _compare(increment(5), Ending.DELIVERED);
    }

    function test_WhatReverts() public {
        _compare(abi.encodeCall(XvmCounter.fail, (7)), Ending.DELIVERED);
    }

    function test_WhatAnswersTooMuch() public {
        _options.returnLimit = 100;
        _compare(abi.encodeCall(XvmCounter.answer, (1000)), Ending.DELIVERED);
    }

    function test_WhatBurnsItsGas() public {
        _options.executionGasLimit = 50_000;
        _compare(abi.encodeCall(XvmCounter.burn, ()), Ending.DELIVERED);
    }

    function test_WhatExpires() public {
        _compare(increment(5), Ending.EXPIRED);
    }

    function test_WhatIsNotThere() public {
        _options.codeHash = keccak256("other code");
        _compare(increment(5), Ending.UNREACHED);
    }

    function test_WhatIsOrderedAndMarked() public {
        _options.ordered = true;
        _options.metadata = "from the integrator";
        _options.callbackGasLimit = 222_222;
        _compare(increment(5), Ending.DELIVERED);
    }

    function test_WhatItsHandlerRefuses() public {
        _options.metadata = "failing";
        _compare(increment(5), Ending.DELIVERED);
    }

    function test_WhatIsQueried() public {
        _options.mode = Mode.QUERY;
        _compare(abi.encodeWithSignature("count()"), Ending.DELIVERED);
    }

    function test_WhatIsCancelledAndRetried() public {
        bytes32 real = _play(true, this.cancelAndRetry);
        assertEq(_play(false, this.cancelAndRetry), real, "cancel and retry");
    }

    function test_WhatIsRefused() public {
        bytes32 real = _play(true, this.refusals);
        assertEq(_play(false, this.refusals), real, "errors");
    }

    // ---- scenes

    function oneRequest(bytes calldata payload, Ending ending) external returns (bytes32) {
        vm.recordLogs();
        bytes memory target = account(address(counter));
        vm.prank(alice);
        uint256 id = _asker.ask{value: 1 ether}(target, payload, _options, "context");
        Vm.Log[] memory asked = vm.getRecordedLogs();
        (Request memory request,,) = abi.decode(asked[0].data, (Request, uint256, uint64));
        bytes32 pending = keccak256(abi.encode(source.pendingRequest(id)));
        if (_options.metadata.length == 7) _asker.setFailing(true);
        if (ending == Ending.EXPIRED) vm.warp(request.expiry + 1);
        vm.recordLogs();
        bytes32 told = _digest(_isReal ? _relay(id, request, ending) : _relayByMock(id, ending));
        return keccak256(
            abi.encode(
                id,
                _digest(asked),
                pending,
                told,
                source.pendingRequest(id),
                destination.consumed(id),
                _whatTheAskerHas(),
                counter.count(),
                alice.balance
            )
        );
    }

    /// @dev Apart from the rest: the older code generator finds no room for more values on the stack.
    function _whatTheAskerHas() private view returns (bytes32) {
        return keccak256(
            abi.encode(
                _asker.answers(), _asker.last(), _asker.lastCost(), _asker.gasAtEntry(), source.credits(address(_asker))
            )
        );
    }

    function cancelAndRetry() external returns (bytes32) {
        bytes memory target = account(address(counter));
        vm.recordLogs();
        vm.prank(alice, alice);
        source.xvmExecute{value: 1 ether}(target, increment(5), _options);
        (uint256 id, Request memory request) = lastRequest();
        if (_isReal) {
            _executeAsRelayer(request);
        } else {
            vm.prank(relayer, relayer);
            _mock.execute(id);
        }
        vm.prank(alice);
        (bool early, bytes memory reason) = address(source).call(abi.encodeCall(IXvmSource.cancel, (request)));
        vm.roll(BASE + 101);
        vm.warp(request.expiry + 301);
        vm.recordLogs();
        vm.prank(alice);
        source.cancel(request);
        vm.prank(alice, alice);
        uint256 retried = source.retry{value: 1 ether}(request, 0, 0);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        (Request memory again,,) = abi.decode(logs[1].data, (Request, uint256, uint64));
        vm.recordLogs();
        if (_isReal) {
            _executeAsRelayer(again);
            _deliverAsRelayer(_outcomeAt(retried, Kind.DUPLICATE, false, bytes.concat(slotWord(Kind.EXECUTED, id))));
        } else {
            vm.prank(relayer, relayer);
            _mock.deliver(retried);
        }
        bytes32 told = _digest(vm.getRecordedLogs());
        vm.warp(block.timestamp + 7 days);
        source.reclaim(id);
        vm.prank(alice);
        uint256 withdrawn = source.withdraw(alice);
        return keccak256(
            abi.encode(id, retried, early, reason, _digest(logs), told, withdrawn, alice.balance, counter.count())
        );
    }

    function refusals() external returns (bytes32 all) {
        Options[8] memory wrong;
        wrong[0].mode = 2;
        wrong[1].mode = 1;
        wrong[1].ordered = true;
        wrong[2].executionGasLimit = 10_000_001;
        wrong[3].callbackGasLimit = 10_000_001;
        wrong[4].returnLimit = 65_537;
        wrong[5].deadlineBlocks = 99;
        wrong[6].metadata = new bytes(257);
        wrong[7].mode = 1;
        wrong[7].expiry = 5;
        for (uint256 i = 0; i < 8; ++i) {
            bytes memory reason = _refused(1 ether, account(address(counter)), hex"", wrong[i]);
            assertTrue(reason.length >= 4, "a named error");
            all = keccak256(abi.encode(all, reason));
        }
        all = keccak256(abi.encode(all, _refused(1, account(address(counter)), hex"", _options)));
        all = keccak256(abi.encode(all, _refused(1 ether, account(address(counter)), new bytes(65_537), _options)));
        all = keccak256(abi.encode(all, _refused(1 ether, hex"0001", hex"", _options)));
        all = keccak256(abi.encode(all, _refused(1 ether, chain(), hex"", _options)));
        (bool worked, bytes memory none) = address(source).call(abi.encodeCall(IXvmGateway.withdraw, (alice)));
        all = keccak256(abi.encode(all, worked, none));
    }

    function _refused(uint256 value, bytes memory target, bytes memory payload, Options memory options)
        private
        returns (bytes memory reason)
    {
        bool worked;
        (worked, reason) = address(source).call{value: value}(
            abi.encodeWithSignature(
                "xvmExecute(bytes,bytes,(uint8,bool,uint64,uint64,uint32,uint64,bool,bytes32,uint32,uint64,bytes))",
                target,
                payload,
                options
            )
        );
        assertTrue(!worked, "refused");
    }

    // ---- both stages

    function _compare(bytes memory payload, Ending ending) private {
        uint256 start = vm.snapshotState();
        _build(true);
        bytes32 real = this.oneRequest(payload, ending);
        vm.revertToState(start);
        _build(false);
        assertEq(this.oneRequest(payload, ending), real, "the mock tells it as the gateway does");
    }

    function _play(bool isReal, function() external returns (bytes32) scene) private returns (bytes32 seen) {
        uint256 start = vm.snapshotState();
        _build(isReal);
        seen = scene();
        vm.revertToState(start);
    }

    /// @dev One gateway that is its own counterpart, at the address that a mock would have, and then a target and a client.
    function _build(bool isReal) private {
        _isReal = isReal;
        if (isReal) {
            source = XvmGateway(
                deploy("XvmGateway", abi.encode(address(this), guardian, MAX_PAUSE, treasury, sourceRoutes, registry))
            );
        } else {
            _mock = XvmMockGateway(deploy("XvmMockGateway", ""));
            source = XvmGateway(address(_mock));
        }
        destination = source;
        counter = XvmCounter(deploy("XvmCounter", abi.encode(source)));
        _asker = Asker(payable(deploy("Asker", abi.encode(source, 100))));
        if (!isReal) {
            IXvmRoutes.Plan memory planned = sourceRoutes.plan(account(address(counter)), 0, _options);
            _mock.setPrice(uint80(planned.executionShare), uint80(planned.callbackShare), uint80(planned.signersShare));
            return;
        }
        sourceVerifier = newVerifier(address(source));
        source.setVerifier(address(sourceVerifier));
        sourceVerifier.install(signerSet(keys, 3));
        destinationVerifier = sourceVerifier;
        IXvmRoutes.Outbound memory widest = _widest();
        widest.destinationGateway = account(address(source));
        sourceRoutes.setOutbound(chain(), widest);
        sourceRoutes.setInbound(account(address(source)), true);
    }

    /// @dev As wide as the protocol allows, with the mock's defaults.
    function _widest() private view returns (IXvmRoutes.Outbound memory widest) {
        widest = route();
        widest.maxPayloadBytes = 65_536;
        widest.maxReturnBytes = 65_536;
        widest.maxExecutionGas = 10_000_000;
        widest.maxCallbackGas = 10_000_000;
        widest.defaultExpirySeconds = 90;
        widest.deadlineBlocks = 100;
        widest.maxDeadlineBlocks = 1_000_000;
    }

    /// @dev Has a request executed and delivered, with certificates.
    function _relay(uint256 id, Request memory request, Ending ending) private returns (Vm.Log[] memory) {
        if (request.mode == Mode.QUERY) {
            _deliverAsRelayer(_outcomeAt(id, Kind.EXECUTED, false, abi.encode(0)));
            return vm.getRecordedLogs();
        }
        if (ending == Ending.EXPIRED) {
            ExpireBatch[] memory expired = expireBatch(request);
            vm.recordLogs();
            destination.expire(expired, payeeWord(relayer));
        } else {
            _executeAsRelayer(request);
        }
        Vm.Log[] memory executed = vm.getRecordedLogs();
        Vm.Log memory receipt = onlyLog(executed, IXvmDestination.XVMCallConcluded.selector);
        (, uint8 kind, bool cut, bytes memory returnData,) =
            abi.decode(receipt.data, (bytes, uint8, bool, bytes, bytes32));
        vm.recordLogs();
        _deliverAsRelayer(_outcomeAt(id, kind, cut, returnData));
        return _concat(executed, vm.getRecordedLogs());
    }

    function _executeAsRelayer(Request memory request) private {
        ExecuteBatch[] memory batches = executeBatch(request);
        vm.prank(relayer, relayer);
        destination.execute(batches, payeeWord(relayer));
    }

    function _deliverAsRelayer(OutcomeItem memory item) private {
        DeliverBatch[] memory batches = deliverBatch(item);
        vm.prank(relayer, relayer);
        source.deliver(batches);
    }

    function _relayByMock(uint256 id, Ending ending) private returns (Vm.Log[] memory) {
        vm.prank(relayer, relayer);
        if (ending == Ending.EXPIRED) _mock.expire(id);
        else _mock.deliver(id);
        return vm.getRecordedLogs();
    }

    function _outcomeAt(uint256 id, uint8 kind, bool cut, bytes memory returnData)
        private
        view
        returns (OutcomeItem memory item)
    {
        // a mock's outcomes stand nowhere
        item = OutcomeItem({
            requestId: id,
            kind: kind,
            cut: cut,
            height: 0,
            blockHash: 0,
            txIndex: 0,
            logIndex: 0,
            payee: payeeWord(relayer),
            round: 0,
            returnData: returnData
        });
    }

    function _concat(Vm.Log[] memory a, Vm.Log[] memory b) private pure returns (Vm.Log[] memory all) {
        all = new Vm.Log[](a.length + b.length);
        for (uint256 i = 0; i < all.length; ++i) {
            all[i] = i < a.length ? a[i] : b[i - a.length];
        }
    }

    function _digest(Vm.Log[] memory logs) private pure returns (bytes32) {
        return keccak256(abi.encode(logs));
    }
}
