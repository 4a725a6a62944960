// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IXVMClient} from "../../src/client/IXVMClient.sol";
import {CollateralLoan} from "../../src/examples/CollateralLoan.sol";
import {XvmToken} from "../../src/examples/XvmToken.sol";
import {Kind, Mode, Request, State} from "../../src/interfaces/XvmTypes.sol";
import {GatewayTest} from "../GatewayTest.sol";

/// @notice A borrower that takes no money.
contract ProudBorrower {
    function borrow(CollateralLoan loan, uint256 value) external returns (uint256) {
        return loan.requestLoan{value: value}(100);
    }
}

contract CollateralLoanTest is GatewayTest {
    address private lender = address(0x7001);

    XvmToken private token;
    XvmToken private collateral;
    CollateralLoan private loan;
    uint256 private fee;

    function setUp() public override {
        super.setUp();
        token = XvmToken(deploy("XvmToken", abi.encode("Lent", "LENT")));
        collateral = XvmToken(deploy("XvmToken", abi.encode("Collateral", "COLL")));
        loan = _newLoan(100);
        token.mint(address(loan), 1000);
        fee = loan.APPLICATION_FEE();
    }

    function _newLoan(uint64 timeoutBlocks) private returns (CollateralLoan) {
        bytes memory terms = abi.encode(source, lender, token, CHAIN, collateral, timeoutBlocks);
        return CollateralLoan(payable(deploy("CollateralLoan", terms)));
    }

    function test_ItAsksForTheBorrowersBalanceOverThere() public {
        (, Request memory request) = _borrow(100);
        assertEq(request.mode, Mode.QUERY, "reads");
        assertEq(request.target, account(address(collateral)), "the collateral's token");
        assertEq(request.payload, abi.encodeCall(IERC20.balanceOf, (alice)), "the borrower's balance");
    }

    function test_ItLendsToWhoHasTheCollateral() public {
        (uint256 id,) = _borrow(100);
        deliver(outcome(id, Kind.EXECUTED, abi.encode(150)));
        _assertStatus(id, CollateralLoan.Status.LENT);
        assertEq(token.balanceOf(alice), 100, "paid out");
        assertEq(loan.available(), 900, "the rest");
        assertEq(loan.heldFees(), 0, "the fee is the lender's");
        assertEq(loan.openLoan(alice), id, "open");
    }

    function test_SECURITY_ItRejectsOneUnitBelowTheCollateral() public {
        (uint256 id,) = _borrow(100);
        deliver(outcome(id, Kind.EXECUTED, abi.encode(149)));
        _assertStatus(id, CollateralLoan.Status.REJECTED);
        assertEq(token.balanceOf(alice), 0, "nothing paid");
        assertEq(loan.available(), 1000, "nothing kept");
        assertEq(loan.heldFees(), 0, "the fee is the lender's");
        (id,) = _borrow(100);
    }

    function test_WithoutAUsableAnswerTheFeeGoesBack() public {
        bytes[3] memory answers = [bytes(""), hex"01", abi.encodeWithSignature("Error(string)", "no")];
        uint8[3] memory kinds = [Kind.UNREACHED, Kind.EXECUTED, Kind.REVERTED];
        for (uint256 i = 0; i < 3; ++i) {
            (uint256 id,) = _borrow(100);
            uint256 before = alice.balance;
            deliver(outcome(id, kinds[i], answers[i]));
            _assertStatus(id, CollateralLoan.Status.REFUNDED);
            assertEq(alice.balance - before, fee, "refunded");
            assertEq(loan.available(), 1000, "nothing kept");
        }
    }

    function test_SECURITY_TheFeeGoesBackAfterAHundredBlocksAndOnce() public {
        (uint256 id,) = _borrow(100);
        uint256 before = alice.balance;
        vm.roll(HEIGHT + 100);
        vm.expectRevert(abi.encodeWithSelector(IXVMClient.TooEarlyToGiveUp.selector, id, HEIGHT + 100));
        loan.giveUp(id);
        vm.roll(HEIGHT + 101);
        loan.giveUp(id);
        _assertStatus(id, CollateralLoan.Status.REFUNDED);
        assertEq(alice.balance - before, fee, "refunded");
        assertEq(loan.available(), 1000, "nothing kept");
        vm.expectRevert(abi.encodeWithSelector(IXVMClient.NotOpen.selector, id));
        loan.giveUp(id);
        deliver(outcome(id, Kind.EXECUTED, abi.encode(1000)));
        _assertStatus(id, CollateralLoan.Status.REFUNDED);
        assertEq(token.balanceOf(alice), 0, "a late answer lends nothing");
    }

    /// @notice SECURITY: where finality is slow, nobody ends an application before an answer can have come.
    function test_SECURITY_ALenderWaitsAsLongAsItsRouteNeeds() public {
        loan = _newLoan(120);
        token.mint(address(loan), 1000);
        (uint256 id,) = _borrow(100);
        vm.roll(HEIGHT + 120);
        vm.expectRevert(abi.encodeWithSelector(IXVMClient.TooEarlyToGiveUp.selector, id, HEIGHT + 120));
        loan.giveUp(id);
        vm.roll(HEIGHT + 121);
        loan.giveUp(id);
        _assertStatus(id, CollateralLoan.Status.REFUNDED);
    }

    function test_SECURITY_ABorrowerThatRefusesItsFeeBlocksNobody() public {
        ProudBorrower proud = new ProudBorrower();
        vm.deal(address(proud), 1 ether);
        uint256 id = proud.borrow(loan, loan.price());
        vm.roll(HEIGHT + 101);
        loan.giveUp(id);
        assertEq(loan.available(), 1000, "nothing kept");
        vm.prank(lender);
        loan.withdraw();
        assertEq(lender.balance, fee, "the lender's now");
    }

    function test_SECURITY_TheSameCollateralCountsOnce() public {
        (uint256 id,) = _borrow(100);
        uint256 price = loan.price();
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(CollateralLoan.LoanOpen.selector, id));
        loan.requestLoan{value: price}(1);
        deliver(outcome(id, Kind.EXECUTED, abi.encode(150)));
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(CollateralLoan.LoanOpen.selector, id));
        loan.requestLoan{value: price}(1);
        vm.prank(alice);
        token.approve(address(loan), 100);
        vm.prank(alice);
        loan.repay(id);
        _assertStatus(id, CollateralLoan.Status.REPAID);
        assertEq(loan.available(), 1000, "back");
        vm.expectRevert(abi.encodeWithSelector(CollateralLoan.NotLent.selector, id));
        loan.repay(id);
        _borrow(1);
    }

    function test_SECURITY_WhatAnApplicationWaitsForIsNotLentTwice() public {
        _borrow(600);
        uint256 price = loan.price();
        vm.deal(worker, 1 ether);
        vm.prank(worker);
        vm.expectRevert(abi.encodeWithSelector(CollateralLoan.NotEnoughToLend.selector, 401, 400));
        loan.requestLoan{value: price}(401);
        vm.prank(lender);
        loan.withdraw();
        assertEq(token.balanceOf(lender), 400, "the lender leaves what is reserved");
        assertEq(lender.balance, 0, "and the fee that may go back");
        assertEq(address(loan).balance, fee, "kept");
    }

    function test_WhatIsTooMuchComesBackAndTooLittleIsRefused() public {
        uint256 price = loan.price();
        uint256 before = alice.balance;
        vm.prank(alice);
        loan.requestLoan{value: price + 5 ether}(100);
        assertEq(before - alice.balance, price, "the price");
        vm.deal(worker, 1 ether);
        vm.prank(worker);
        vm.expectRevert(abi.encodeWithSelector(IXVMClient.FeeAboveBudget.selector, price - fee, price - fee - 1));
        loan.requestLoan{value: price - 1}(100);
        vm.prank(worker);
        vm.expectRevert(abi.encodeWithSelector(CollateralLoan.ApplicationFeeUnpaid.selector, fee, fee - 1));
        loan.requestLoan{value: fee - 1}(100);
    }

    function test_SECURITY_OnlyTheLenderWithdraws() public {
        vm.expectRevert(abi.encodeWithSelector(CollateralLoan.NotLender.selector, address(this)));
        loan.withdraw();
    }

    function test_TheAnswerFitsTheDefaultCallbackGas() public {
        (uint256 id,) = _borrow(100);
        deliver(outcome(id, Kind.EXECUTED, abi.encode(150)));
        assertEq(source.pendingRequest(id).state, State.NONE, "the handler did not fail");
    }

    function _borrow(uint256 amount) private returns (uint256 id, Request memory request) {
        uint256 price = loan.price();
        vm.recordLogs();
        vm.prank(alice);
        uint256 returned = loan.requestLoan{value: price}(amount);
        (id, request) = lastRequest();
        assertEq(id, returned, "the loan's number is the request's id");
    }

    function _assertStatus(uint256 id, CollateralLoan.Status expected) private view {
        (, CollateralLoan.Status status,) = loan.loans(id);
        assertEq(uint256(status), uint256(expected), "status");
    }
}
