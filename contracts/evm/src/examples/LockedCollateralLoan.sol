// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IXvmDestination} from "../interfaces/IXvmDestination.sol";

/// @title A lender whose collateral is locked on another chain
/// @notice Pays out when the program that keeps the collateral over there asks for it (a `CALL`), and tells it how a loan stands
/// (a `QUERY`): what is repaid here is unlocked there. For demonstrations: collateral is never sold, whatever it is worth.
contract LockedCollateralLoan {
    using SafeERC20 for IERC20;

    /// @notice How a loan stands. The keeper reads these numbers.
    enum Status {
        NONE,
        LENT,
        REPAID
    }

    struct Loan {
        Status status;
        uint256 amount;
    }

    event LoanPaidOut(bytes32 indexed loanId, address indexed borrower, uint256 amount);
    event LoanRepaid(bytes32 indexed loanId, uint256 amount);

    /// @notice Somebody else than the gateway's executor called.
    error NotExecutor(address caller);

    /// @notice Somebody else than the keeper of the collateral asked.
    error NotKeeper(bytes sender);

    /// @notice A loan is paid out once.
    error AlreadyLent(bytes32 loanId);

    /// @notice There is no such loan to repay.
    error NotLent(bytes32 loanId);

    /// @notice Somebody else than the lender called.
    error NotLender(address caller);

    IXvmDestination private immutable GATEWAY;

    /// @notice keccak256 of the ERC-7930 address that the keeper of the collateral asks as.
    bytes32 public immutable keeperHash;

    /// @notice Who owns what this contract holds.
    address public immutable lender;

    /// @notice The token that is lent.
    IERC20 public immutable token;

    /// @notice Loans, by the keeper's ids.
    mapping(bytes32 loanId => Loan) public loans;

    /// @param gateway_ This chain's gateway.
    /// @param keeper_ ERC-7930 address that the keeper of the collateral asks as.
    /// @param lender_ Who owns what this contract holds.
    /// @param token_ The token to lend; whoever sends some here gives it to the lender.
    constructor(IXvmDestination gateway_, bytes memory keeper_, address lender_, IERC20 token_) {
        GATEWAY = gateway_;
        keeperHash = keccak256(keeper_);
        lender = lender_;
        token = token_;
    }

    /// @notice Pays a loan out; the keeper's request only. If it fails, the keeper is told so and unlocks the collateral.
    function lend(bytes32 loanId, address borrower, uint256 amount) external {
        // SECURITY: the current request is the caller's only while the caller is the executor
        if (msg.sender != GATEWAY.executor()) revert NotExecutor(msg.sender);
        (, bytes memory sender) = GATEWAY.currentRequest();
        // SECURITY: anyone may have the executor call here; the keeper alone has locked anything
        if (keccak256(sender) != keeperHash) revert NotKeeper(sender);
        // SECURITY: one collateral, one loan
        if (loans[loanId].status != Status.NONE) revert AlreadyLent(loanId);
        loans[loanId] = Loan({status: Status.LENT, amount: amount});
        emit LoanPaidOut(loanId, borrower, amount);
        token.safeTransfer(borrower, amount);
    }

    /// @notice Pays a loan back; anyone may, having approved the token.
    function repay(bytes32 loanId) external {
        Loan storage loan = loans[loanId];
        // SECURITY: what was never lent and is repaid with nothing would unlock what is lent later
        if (loan.status != Status.LENT) revert NotLent(loanId);
        loan.status = Status.REPAID;
        emit LoanRepaid(loanId, loan.amount);
        token.safeTransferFrom(msg.sender, address(this), loan.amount);
    }

    /// @notice Takes out what is not lent; the lender only.
    function withdraw() external {
        if (msg.sender != lender) revert NotLender(msg.sender);
        token.safeTransfer(lender, token.balanceOf(address(this)));
    }

    /// @notice The gateway whose executor calls here.
    function gateway() external view returns (address) {
        return address(GATEWAY);
    }

    /// @notice How a loan stands: what the keeper asks for.
    function status(bytes32 loanId) external view returns (Status) {
        return loans[loanId].status;
    }
}
