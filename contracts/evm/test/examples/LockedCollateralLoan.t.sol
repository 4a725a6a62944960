// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LockedCollateralLoan} from "../../src/examples/LockedCollateralLoan.sol";
import {XvmEcho} from "../../src/examples/XvmEcho.sol";
import {XvmToken} from "../../src/examples/XvmToken.sol";
import {Kind, Options, Request} from "../../src/interfaces/XvmTypes.sol";
import {GatewayTest} from "../GatewayTest.sol";

contract LockedCollateralLoanTest is GatewayTest {
    bytes32 private constant LOAN = keccak256("a loan");
    address private lender = address(0x7001);

    XvmToken private token;
    LockedCollateralLoan private loan;

    function setUp() public override {
        super.setUp();
        token = XvmToken(deploy("XvmToken", abi.encode("Lent", "LENT")));
        bytes memory terms = abi.encode(destination, account(address(echo)), lender, token);
        loan = LockedCollateralLoan(deploy("LockedCollateralLoan", terms));
        token.mint(address(loan), 1000);
    }

    function test_ItPaysOutWhatTheKeeperAsksFor() public {
        _lend(echo, 100);
        _assertStatus(LockedCollateralLoan.Status.LENT);
        assertEq(token.balanceOf(alice), 100, "paid out");
    }

    function test_ARepaidLoanSaysSo() public {
        _lend(echo, 100);
        vm.prank(alice);
        token.approve(address(loan), 100);
        vm.prank(alice);
        loan.repay(LOAN);
        _assertStatus(LockedCollateralLoan.Status.REPAID);
        assertEq(token.balanceOf(address(loan)), 1000, "back");
    }

    function test_WhatCannotBePaidOutIsToldToTheKeeper() public {
        uint256 id = _lend(echo, 1001);
        _assertStatus(LockedCollateralLoan.Status.NONE);
        assertConcluded(
            id,
            Kind.REVERTED,
            false,
            abi.encodeWithSignature(
                "ERC20InsufficientBalance(address,uint256,uint256)", address(loan), uint256(1000), uint256(1001)
            )
        );
    }

    function test_SECURITY_NobodyElseHasLockedAnything() public {
        XvmEcho stranger = newEcho();
        vm.deal(address(stranger), 1000 ether);
        uint256 id = _lend(stranger, 100);
        assertConcluded(
            id,
            Kind.REVERTED,
            false,
            abi.encodeWithSelector(LockedCollateralLoan.NotKeeper.selector, account(address(stranger)))
        );
        assertEq(token.balanceOf(alice), 0, "nothing paid");
    }

    function test_SECURITY_OnlyTheExecutorBringsRequests() public {
        vm.expectRevert(abi.encodeWithSelector(LockedCollateralLoan.NotExecutor.selector, address(this)));
        loan.lend(LOAN, alice, 100);
    }

    function test_SECURITY_OneCollateralIsOneLoan() public {
        _lend(echo, 100);
        uint256 id = _lend(echo, 100);
        assertConcluded(
            id, Kind.REVERTED, false, abi.encodeWithSelector(LockedCollateralLoan.AlreadyLent.selector, LOAN)
        );
        assertEq(token.balanceOf(alice), 100, "once");
    }

    function test_SECURITY_ALoanIsNotRepaidBeforeItIsLent() public {
        vm.expectRevert(abi.encodeWithSelector(LockedCollateralLoan.NotLent.selector, LOAN));
        loan.repay(LOAN);
    }

    function test_SECURITY_WhatItHoldsIsTheLenders() public {
        vm.expectRevert(abi.encodeWithSelector(LockedCollateralLoan.NotLender.selector, address(this)));
        loan.withdraw();
        vm.prank(lender);
        loan.withdraw();
        assertEq(token.balanceOf(lender), 1000, "taken out");
    }

    function _lend(XvmEcho keeper, uint256 amount) private returns (uint256 id) {
        Options memory options;
        Request memory request;
        bytes memory call = abi.encodeCall(LockedCollateralLoan.lend, (LOAN, alice, amount));
        (id, request) = askBy(keeper, address(loan), call, options);
        execute(request);
    }

    function _assertStatus(LockedCollateralLoan.Status expected) private view {
        assertEq(uint256(loan.status(LOAN)), uint256(expected), "status");
    }
}
