// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {XvmEcho} from "../src/examples/XvmEcho.sol";
import {XvmPing} from "../src/examples/XvmPing.sol";
import {IXvmGateway} from "../src/interfaces/IXvmGateway.sol";
import {IXvmRoutes} from "../src/interfaces/IXvmRoutes.sol";
import {IXvmSource} from "../src/interfaces/IXvmSource.sol";
import {Direction, Mode, Options, PendingRequest, Request, State} from "../src/interfaces/XvmTypes.sol";
import {GatewayTest} from "./GatewayTest.sol";
import {Vm} from "./Vm.sol";

contract RequestsTest is GatewayTest {
    function test_SimpleFormTakesTheDefaults() public {
        uint256 fee = source.quote(CHAIN, 36);
        vm.recordLogs();
        vm.prank(alice, alice);
        uint256 returned =
            source.xvmExecute{value: fee}(CHAIN, address(counter), counter.increment.selector, abi.encode(5));
        Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IXvmSource.XVMCallRequested.selector);
        (Request memory request, uint256 escrowed, uint64 deadline) = abi.decode(log.data, (Request, uint256, uint64));

        Request memory expected;
        expected.sourceGateway = account(address(source));
        expected.sender = account(alice);
        expected.destinationGateway = account(address(destination));
        expected.target = account(address(counter));
        expected.payload = increment(5);
        expected.executionGasLimit = 500_000;
        expected.callbackGasLimit = 300_000;
        expected.returnLimit = 1024;
        expected.expiry = uint64(START + 100);
        assertEq(abi.encode(request), abi.encode(expected), "every field");
        assertEq(uint256(log.topics[1]), returned, "id returned and logged");
        assertEq(address(uint160(uint256(log.topics[2]))), alice, "sender");
        assertEq(
            log.topics[3],
            keccak256(bytes.concat(account(address(source)), account(address(destination)))),
            "hash of the route"
        );
        assertEq(escrowed, fee, "fee");
        assertEq(deadline, HEIGHT + 120, "deadline");
        assertTrue(request.expiry < START + 120, "the expiry passes before the deadline");

        PendingRequest memory pending = source.pendingRequest(returned);
        assertEq(pending.requester, alice, "requester");
        assertTrue(pending.isEoa, "asked by its own transaction");
        assertEq(pending.callbackGasLimit, 300_000, "callback gas");
        assertEq(pending.deadline, deadline, "deadline");
        assertEq(pending.state, State.PENDING, "state");
        assertEq(pending.fee, fee, "fee");
        assertSolvent(fee);
    }

    function test_FullFormTakesEveryOption() public {
        Options memory options;
        options.executionGasLimit = 700_000;
        options.callbackGasLimit = 100_000;
        options.returnLimit = 64;
        options.expiry = uint64(START + 500);
        options.codeHash = keccak256("code");
        options.deadlineBlocks = 300;
        options.metadata = "note";
        (uint256 id, Request memory request) = askBy(echo, address(counter), hex"1234", options);
        assertEq(request.sender, account(address(echo)), "sender");
        assertEq(request.executionGasLimit, 700_000, "execution gas");
        assertEq(request.callbackGasLimit, 100_000, "callback gas");
        assertEq(request.returnLimit, 64, "return limit");
        assertEq(request.expiry, START + 500, "expiry");
        assertEq(request.codeHash, keccak256("code"), "code hash");
        assertEq(request.metadata, "note", "metadata");
        assertEq(request.payload, hex"1234", "payload");
        PendingRequest memory pending = source.pendingRequest(id);
        assertTrue(!pending.isEoa, "asked by a contract");
        assertEq(pending.deadline, HEIGHT + 300, "deadline");
    }

    function test_QueryHasNoGatewayNoExpiryAndTheTargetsChainInItsRoute() public {
        Options memory options;
        options.mode = Mode.QUERY;
        vm.recordLogs();
        echo.ask(account(address(counter)), hex"1234", options);
        Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IXvmSource.XVMCallRequested.selector);
        (Request memory request,,) = abi.decode(log.data, (Request, uint256, uint64));
        assertEq(request.mode, Mode.QUERY, "mode");
        assertEq(request.destinationGateway.length, 0, "no destination gateway");
        assertEq(request.expiry, 0, "no expiry");
        assertEq(log.topics[3], keccak256(bytes.concat(account(address(source)), chain())), "hash of the route");
        Options memory call;
        uint256 callFee = source.quote(account(address(counter)), 2, call);
        assertTrue(source.quote(account(address(counter)), 2, options) < callFee, "no execution share");
    }

    /// @notice SECURITY: what every signer must compute is paid for by its gas limit.
    function test_SECURITY_AQueryPaysTheSignersForItsGas(uint32 length, uint64 gasLimit, uint16 bps) public {
        IXvmRoutes.Price memory priced = price();
        priced.queryBps = bps;
        sourceRoutes.setPrice(chain(), priced);
        vm.roll(HEIGHT + QUOTE_BLOCKS);
        length = uint32(bound(length, 0, 4096));
        Options memory options;
        options.mode = Mode.QUERY;
        options.executionGasLimit = uint64(bound(gasLimit, 1, 2_000_000));
        bytes memory target = account(address(counter));
        uint256 callback_ = (300_000 + 40_000 + 1024 * 24) * 20e9;
        uint256 work = (uint256(options.executionGasLimit) + uint256(length) * 40) * 3e9 * bps;
        IXvmRoutes.Plan memory planned = sourceRoutes.plan(target, length, options);
        assertEq(planned.executionShare, 0, "nobody executes");
        assertEq(planned.callbackShare, callback_, "as a call's");
        assertEq(planned.signersShare, 1e13 + callback_ * 5 / 100 + (work + 9999) / 10_000, "the formula");
        uint256 fee = planned.callbackShare + planned.signersShare;
        assertEq(source.quote(target, length, options), fee, "the quote");
        vm.prank(alice, alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.InsufficientFee.selector, fee, fee - 1));
        source.xvmExecute{value: fee - 1}(target, new bytes(length), options);
    }

    function test_NoncesCountPerSenderWithoutGaps() public {
        for (uint64 i = 0; i < 3; ++i) {
            (, Request memory byContract) = ask(increment(1));
            (, Request memory byAccount) = askAsEoa(increment(1));
            assertEq(byContract.nonce, i, "of the contract");
            assertEq(byAccount.nonce, i, "of the account");
        }
        Options memory options;
        options.mode = 9;
        vm.prank(alice, alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmRoutes.UnknownMode.selector, 9));
        source.xvmExecute{value: 1 ether}(account(address(counter)), "", options);
        (, Request memory next) = askAsEoa(increment(1));
        assertEq(next.nonce, 3, "a refused request takes no nonce");
        assertEq(source.nonces(alice), 4, "the next");
    }

    function test_WhatIsOverpaidGoesBack() public {
        uint256 before = alice.balance;
        (uint256 id,) = askAsEoa(increment(1));
        assertEq(before - alice.balance, feeOf(id), "only the fee is kept");
        assertSolvent(feeOf(id));
    }

    function test_WhatIsOverpaidBecomesTheCreditOfAContractThatTakesNoMoney() public {
        XvmPing ping = XvmPing(deploy("XvmPing", abi.encode(source)));
        Options memory options;
        uint256 fee = source.quote(account(address(counter)), 4, options);
        ping.ask{value: fee + 5}(account(address(counter)), hex"01020304", options);
        assertEq(source.credits(address(ping)), 5, "credit");
        assertEq(address(source).balance, fee + 5, "balance");
    }

    function test_FeeIsTheQuoteToTheWei(uint32 length, uint64 executionGas, uint64 callbackGas, uint32 limit) public {
        length = uint32(bound(length, 0, 4096));
        Options memory options;
        options.executionGasLimit = uint64(bound(executionGas, 1, 2_000_000));
        options.callbackGasLimit = uint64(bound(callbackGas, 1, 1_000_000));
        options.returnLimit = uint32(bound(limit, 1, 2048));
        bytes memory target = account(address(counter));
        uint256 fee = source.quote(target, length, options);
        uint256 execution = (uint256(options.executionGasLimit) + 60_000 + uint256(length) * 40) * 3e9;
        uint256 callback_ = (uint256(options.callbackGasLimit) + 40_000 + uint256(options.returnLimit) * 24) * 20e9;
        assertEq(fee, execution + callback_ + 1e13 + (execution + callback_) * 5 / 100, "the formula");
        vm.prank(alice, alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.InsufficientFee.selector, fee, fee - 1));
        source.xvmExecute{value: fee - 1}(target, new bytes(length), options);
        vm.prank(alice, alice);
        uint256 id = source.xvmExecute{value: fee}(target, new bytes(length), options);
        assertEq(feeOf(id), fee, "escrowed");
    }

    // ---- bounds

    function test_OversizedPayloadIsRefused() public {
        Options memory options;
        source.quote(account(address(counter)), 4096, options);
        _refused(
            account(address(counter)),
            new bytes(4097),
            options,
            abi.encodeWithSelector(IXvmRoutes.PayloadTooLarge.selector, 4097, 4096)
        );
        IXvmRoutes.Outbound memory wide = route();
        wide.maxPayloadBytes = 65_536;
        sourceRoutes.setOutbound(chain(), wide);
        askBy(echo, address(counter), new bytes(65_536), options);
        _refused(
            account(address(counter)),
            new bytes(65_537),
            options,
            abi.encodeWithSelector(IXvmRoutes.PayloadTooLarge.selector, 65_537, 65_536)
        );
    }

    function test_EveryOptionBeyondItsBoundIsRefused() public {
        Options memory options;
        options.metadata = new bytes(257);
        _refused(options, abi.encodeWithSelector(IXvmRoutes.MetadataTooLarge.selector, 257, 256));
        options.metadata = new bytes(256);
        _taken(options);

        options.returnLimit = 2049;
        _refused(options, abi.encodeWithSelector(IXvmRoutes.ReturnLimitTooHigh.selector, 2049, 2048));
        options.returnLimit = 2048;
        _taken(options);

        options.executionGasLimit = 2_000_001;
        _refused(options, abi.encodeWithSelector(IXvmRoutes.ExecutionGasTooHigh.selector, 2_000_001, 2_000_000));
        options.executionGasLimit = type(uint64).max;
        _refused(options, abi.encodeWithSelector(IXvmRoutes.ExecutionGasTooHigh.selector, type(uint64).max, 2_000_000));
        options.executionGasLimit = 2_000_000;
        _taken(options);

        options.callbackGasLimit = 1_000_001;
        _refused(options, abi.encodeWithSelector(IXvmRoutes.CallbackGasTooHigh.selector, 1_000_001, 1_000_000));
        options.callbackGasLimit = 1_000_000;
        _taken(options);

        options.expiry = uint64(START + 9);
        _refused(
            options, abi.encodeWithSelector(IXvmRoutes.ExpiryOutOfBounds.selector, START + 9, START + 10, START + 1000)
        );
        options.expiry = uint64(START + 1001);
        _refused(
            options,
            abi.encodeWithSelector(IXvmRoutes.ExpiryOutOfBounds.selector, START + 1001, START + 10, START + 1000)
        );
        options.expiry = uint64(START + 1000);
        _taken(options);

        options.deadlineBlocks = 119;
        _refused(options, abi.encodeWithSelector(IXvmRoutes.DeadlineOutOfBounds.selector, 119, 120, 5000));
        options.deadlineBlocks = 5001;
        _refused(options, abi.encodeWithSelector(IXvmRoutes.DeadlineOutOfBounds.selector, 5001, 120, 5000));
        options.deadlineBlocks = 5000;
        _taken(options);
    }

    function test_QueriesTakeNoOptionThatIsForCalls() public {
        Options memory options;
        options.mode = Mode.QUERY;
        options.expiry = 1;
        _refused(options, abi.encodeWithSelector(IXvmRoutes.ExpiryOutOfBounds.selector, 1, 0, 0));
        options.expiry = 0;
        options.codeHash = keccak256("code");
        _refused(options, abi.encodeWithSelector(IXvmRoutes.NotForQueries.selector));
        options.codeHash = 0;
        options.ordered = true;
        _refused(options, abi.encodeWithSelector(IXvmRoutes.NotForQueries.selector));
        options.ordered = false;
        options.ownAccount = true;
        _refused(options, abi.encodeWithSelector(IXvmRoutes.NotForQueries.selector));
    }

    function test_SECURITY_OptionsThatThisVersionDoesNotKeepAreRefused() public {
        Options memory options;
        options.disputeBlocks = 1;
        _refused(options, abi.encodeWithSelector(IXvmSource.DisputesUnsupported.selector));
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.DisputesUnsupported.selector));
        source.quote(account(address(counter)), 0, options);
    }

    function test_MalformedTargetsAreRefused() public {
        Options memory options;
        bytes memory good = account(address(counter));
        bytes memory malformed = abi.encodeWithSelector(IXvmRoutes.MalformedTarget.selector);
        for (uint256 length = 0; length < good.length; ++length) {
            _refused(_cut(good, length), "", options, malformed);
        }
        _refused(bytes.concat(good, hex"00"), "", options, malformed);
        _refused(chain(), "", options, malformed);
        bytes memory otherVersion = account(address(counter));
        otherVersion[1] = 0x02;
        _refused(otherVersion, "", options, malformed);
        _refused(hex"000100000015d8da6bf26964af9d7eed9e03e53415d37aa96045", "", options, malformed);
        _refused(bytes.concat(hex"00010000027a6913", bytes19(bytes20(address(counter)))), "", options, malformed);
        _refused(bytes.concat(hex"00010000027a6940", new bytes(64)), "", options, malformed);
    }

    function test_UnroutedAndUnpricedChainsAreRefused() public {
        Options memory options;
        bytes memory elsewhere = InteroperableAddress.formatEvmV1(5, address(counter));
        bytes32 chainHash = keccak256(InteroperableAddress.formatEvmV1(5));
        _refused(elsewhere, "", options, abi.encodeWithSelector(IXvmRoutes.Unrouted.selector, chainHash));
        vm.prank(alice, alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmRoutes.Unrouted.selector, chainHash));
        source.xvmExecute{value: 1 ether}(5, address(counter), bytes4(0), "");

        IXvmRoutes.Outbound memory there = route();
        there.destinationGateway = InteroperableAddress.formatEvmV1(5, address(destination));
        sourceRoutes.setOutbound(InteroperableAddress.formatEvmV1(5), there);
        _refused(elsewhere, "", options, abi.encodeWithSelector(IXvmRoutes.Unpriced.selector, chainHash));

        there.destinationGateway = "";
        sourceRoutes.setOutbound(InteroperableAddress.formatEvmV1(5), there);
        _refused(elsewhere, "", options, abi.encodeWithSelector(IXvmRoutes.Unrouted.selector, chainHash));

        IXvmRoutes.Outbound memory callsOnly = route();
        callsOnly.queries = false;
        sourceRoutes.setOutbound(chain(), callsOnly);
        options.mode = Mode.QUERY;
        _refused(options, abi.encodeWithSelector(IXvmRoutes.Unrouted.selector, keccak256(chain())));

        sourceRoutes.removeOutbound(chain());
        options.mode = Mode.CALL;
        _refused(options, abi.encodeWithSelector(IXvmRoutes.Unrouted.selector, keccak256(chain())));
    }

    function test_PausesRefuseRequests() public {
        Options memory options;
        vm.prank(guardian);
        source.pause(Direction.REQUESTS, 10);
        uint256 until = HEIGHT + 10;
        _refused(options, abi.encodeWithSelector(IXvmGateway.Paused.selector, Direction.REQUESTS, until));
        vm.roll(until);
        _taken(options);
        vm.prank(guardian);
        sourceRoutes.pauseOutbound(chain(), 10);
        _refused(options, abi.encodeWithSelector(IXvmRoutes.RoutePaused.selector, until + 10));
        sourceRoutes.unpauseOutbound(chain());
        _taken(options);
    }

    function test_FeesThatDoNotFitTheirStorageAreRefused() public {
        IXvmRoutes.Price memory dear = price();
        dear.executionWeiPerGigagas = type(uint128).max;
        sourceRoutes.setPrice(chain(), dear);
        vm.roll(HEIGHT + QUOTE_BLOCKS);
        Options memory options;
        vm.prank(alice, alice);
        vm.expectRevert(
            abi.encodeWithSelector(
                IXvmSource.FeeTooHigh.selector, (560_000 * uint256(type(uint128).max) + 1e9 - 1) / 1e9
            )
        );
        source.xvmExecute{value: 1 ether}(account(address(counter)), "", options);
    }

    function test_TheSignersShareMustFitItsStorageToo() public {
        IXvmRoutes.Price memory dear = price();
        (dear.signersWei, dear.marginBps) = (1 << 80, 0);
        sourceRoutes.setPrice(chain(), dear);
        vm.roll(HEIGHT + QUOTE_BLOCKS);
        Options memory options;
        vm.prank(alice, alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.FeeTooHigh.selector, 1 << 80));
        source.xvmExecute{value: 1 ether}(account(address(counter)), "", options);
    }

    // ---- quotes and prices

    function test_AQuoteIsHonouredForItsBlocksAfterAPriceRise() public {
        Options memory options;
        bytes memory target = account(address(counter));
        uint256 fee = source.quote(target, 0, options);
        IXvmRoutes.Price memory dearer = price();
        dearer.callbackWeiPerGigagas *= 2;
        sourceRoutes.setPrice(chain(), dearer);
        uint256 newFee = source.quote(target, 0, options);
        assertTrue(newFee > fee, "the quote tells the new price at once");
        vm.roll(HEIGHT + QUOTE_BLOCKS - 1);
        vm.prank(alice, alice);
        assertEq(feeOf(source.xvmExecute{value: fee}(target, "", options)), fee, "the old price still holds");
        vm.roll(HEIGHT + QUOTE_BLOCKS);
        vm.prank(alice, alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.InsufficientFee.selector, newFee, fee));
        source.xvmExecute{value: fee}(target, "", options);
    }

    function test_APriceCutHoldsAtOnce() public {
        Options memory options;
        IXvmRoutes.Price memory cheaper = price();
        cheaper.callbackWeiPerGigagas /= 2;
        sourceRoutes.setPrice(chain(), cheaper);
        uint256 fee = source.quote(account(address(counter)), 0, options);
        vm.prank(alice, alice);
        assertEq(feeOf(source.xvmExecute{value: fee}(account(address(counter)), "", options)), fee, "the new price");
    }

    function test_PricesChangeNotMoreOftenThanQuotesLast() public {
        sourceRoutes.setPrice(chain(), price());
        vm.expectRevert(abi.encodeWithSelector(IXvmRoutes.PriceUnsettled.selector, HEIGHT + QUOTE_BLOCKS));
        sourceRoutes.setPrice(chain(), price());
        vm.roll(HEIGHT + QUOTE_BLOCKS);
        sourceRoutes.setPrice(chain(), price());
    }

    // ---- topping up

    function test_AddedFeesGoToTheSharesInProportion() public {
        (uint256 id,) = ask(increment(1));
        uint256 fee = feeOf(id);
        vm.recordLogs();
        vm.prank(alice);
        source.addFee{value: 7 ether}(id);
        Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IXvmSource.XVMFeeAdded.selector);
        assertEq(uint256(log.topics[1]), id, "request");
        assertEq(log.data, abi.encode(7 ether, fee + 7 ether), "amount and new fee");
        assertEq(feeOf(id), fee + 7 ether, "fee");
        assertSolvent(fee + 7 ether);
    }

    function test_OnlyPendingRequestsTakeFees() public {
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.NotPending.selector, 1));
        source.addFee{value: 1}(1);
        (uint256 id,) = ask(increment(1));
        vm.expectRevert(abi.encodeWithSelector(IXvmSource.InsufficientFee.selector, 1, 0));
        source.addFee(id);
        vm.deal(alice, 3e24);
        vm.prank(alice);
        vm.expectRevert();
        source.addFee{value: 2.9e24}(id);
    }

    function _taken(Options memory options) private {
        vm.prank(alice, alice);
        source.xvmExecute{value: 1 ether}(account(address(counter)), "", options);
    }

    function _refused(Options memory options, bytes memory reason) private {
        _refused(account(address(counter)), "", options, reason);
    }

    function _refused(bytes memory target, bytes memory payload, Options memory options, bytes memory reason) private {
        uint64 nonce = source.nonces(alice);
        vm.prank(alice, alice);
        vm.expectRevert(reason);
        source.xvmExecute{value: 1 ether}(target, payload, options);
        assertEq(source.nonces(alice), nonce, "a refused request takes no nonce");
    }

    function _cut(bytes memory data, uint256 length) private pure returns (bytes memory part) {
        part = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            part[i] = data[i];
        }
    }
}
