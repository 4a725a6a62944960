// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {XVMClient} from "../client/XVMClient.sol";
import {XvmResult, XvmResults} from "../client/XvmResult.sol";
import {IXvmGateway} from "../interfaces/IXvmGateway.sol";

/// @title A lender that looks at another chain first
/// @notice Lends a token on this chain to who holds enough of another token on another chain. The balance is a `QUERY`: it
/// only has to be read, so nobody pays for a transaction over there, and the answer is of one final block after the loan was
/// asked for. For demonstrations: a balance that was seen can be moved the next moment; who lends in earnest has the
/// collateral locked, by a `CALL`. Who borrows from an account that is a contract must own that address over there as well.
contract CollateralLoan is XVMClient {
    using SafeERC20 for IERC20;
    using XvmResults for XvmResult;

    /// @notice What became of an application.
    enum Status {
        NONE,
        /// The other chain is being asked.
        WAITING,
        /// Paid out.
        LENT,
        /// Too little collateral; the application fee is the lender's.
        REJECTED,
        /// No usable answer; the application fee went back.
        REFUNDED,
        REPAID
    }

    struct Loan {
        address borrower;
        Status status;
        uint256 amount;
    }

    event LoanRequested(uint256 indexed requestId, address indexed borrower, uint256 amount);
    event LoanApproved(uint256 indexed requestId, address indexed borrower, uint256 amount, uint256 collateral);
    event LoanRejected(uint256 indexed requestId, address indexed borrower, uint256 amount, uint256 collateral);
    event LoanRefunded(uint256 indexed requestId, address indexed borrower, uint256 fee);
    event LoanRepaid(uint256 indexed requestId, address indexed borrower, uint256 amount);

    /// @notice One loan at a time: the same collateral must not be counted twice.
    error LoanOpen(uint256 requestId);

    /// @notice The lender has not got so much left.
    error NotEnoughToLend(uint256 amount, uint256 available);

    /// @notice The value sent does not cover the application fee.
    error ApplicationFeeUnpaid(uint256 fee, uint256 paid);

    /// @notice There is no such loan to repay.
    error NotLent(uint256 requestId);

    /// @notice Somebody else than the lender called.
    error NotLender(address caller);

    /// @notice What an application costs, in wei, besides the gateway's fee.
    uint256 public constant APPLICATION_FEE = 0.001 ether;

    /// @notice Units of collateral per unit lent, in 1/10,000.
    uint256 public constant COLLATERAL_BPS = 15_000;

    /// @notice Who owns what this contract holds.
    address public immutable lender;

    /// @notice The token that is lent.
    IERC20 public immutable token;

    /// @notice EIP-155 id of the chain that the collateral is on.
    uint256 public immutable collateralChainId;

    /// @notice The token there that counts as collateral.
    address public immutable collateralToken;

    /// @notice What is kept for applications that wait.
    uint256 public reserved;

    /// @notice Application fees that may have to go back, in wei.
    uint256 public heldFees;

    /// @notice Applications by request id.
    mapping(uint256 requestId => Loan) public loans;

    /// @notice A borrower's open application or loan; 0 if there is none.
    mapping(address borrower => uint256 requestId) public openLoan;

    /// @param gateway_ This chain's gateway.
    /// @param lender_ Who owns what this contract holds.
    /// @param token_ The token to lend; whoever sends some here gives it to the lender.
    /// @param collateralChainId_ EIP-155 id of the chain that the collateral is on.
    /// @param collateralToken_ ERC-20 there.
    /// @param timeoutBlocks_ Blocks without an answer after which the application fee goes back. 100 do where finality is fast;
    /// elsewhere anybody could end an application before any answer can have come: take the route's deadline.
    constructor(
        IXvmGateway gateway_,
        address lender_,
        IERC20 token_,
        uint256 collateralChainId_,
        address collateralToken_,
        uint64 timeoutBlocks_
    ) XVMClient(gateway_, timeoutBlocks_) {
        lender = lender_;
        token = token_;
        collateralChainId = collateralChainId_;
        collateralToken = collateralToken_;
    }

    /// @notice Applies for a loan. Send the application fee and what the question costs (`price`); what is too much comes back.
    /// @return requestId The loan's number from here on.
    function requestLoan(uint256 amount) external payable returns (uint256 requestId) {
        if (openLoan[msg.sender] != 0) revert LoanOpen(openLoan[msg.sender]);
        if (amount > available()) revert NotEnoughToLend(amount, available());
        if (msg.value < APPLICATION_FEE) revert ApplicationFeeUnpaid(APPLICATION_FEE, msg.value);

        uint256 budget = msg.value - APPLICATION_FEE;
        uint256 cost;
        (requestId, cost) =
            _query(collateralChainId, collateralToken, abi.encodeCall(IERC20.balanceOf, (msg.sender)), budget);

        reserved += amount;
        heldFees += APPLICATION_FEE;
        openLoan[msg.sender] = requestId;
        loans[requestId] = Loan({borrower: msg.sender, status: Status.WAITING, amount: amount});
        emit LoanRequested(requestId, msg.sender, amount);
        _pay(msg.sender, budget - cost);
    }

    /// @notice Pays a loan back; anyone may, having approved the token.
    function repay(uint256 requestId) external {
        Loan storage loan = loans[requestId];
        if (loan.status != Status.LENT) revert NotLent(requestId);
        loan.status = Status.REPAID;
        delete openLoan[loan.borrower];
        emit LoanRepaid(requestId, loan.borrower, loan.amount);
        token.safeTransferFrom(msg.sender, address(this), loan.amount);
    }

    /// @notice Takes out what is neither lent nor reserved, and the wei that are the lender's; the lender only.
    function withdraw() external {
        if (msg.sender != lender) revert NotLender(msg.sender);
        token.safeTransfer(lender, available());
        _pay(lender, address(this).balance - heldFees);
    }

    /// @notice What an application costs now, in wei: its fee and the gateway's.
    function price() external view returns (uint256) {
        return APPLICATION_FEE + _quoteQuery(collateralChainId, collateralToken, 36);
    }

    /// @notice What can still be lent.
    function available() public view returns (uint256) {
        return token.balanceOf(address(this)) - reserved;
    }

    /// @notice The collateral that a loan wants.
    function collateralFor(uint256 amount) public pure returns (uint256) {
        return (amount * COLLATERAL_BPS + 9999) / 10_000;
    }

    /// @dev The answer: lends, rejects, or gives the fee back if the answer is of no use.
    function _onResult(uint256 requestId, XvmResult memory result) internal override {
        (bool known, uint256 collateral) = result.tryUint();
        if (!known) return _refund(requestId);
        Loan storage loan = loans[requestId];
        reserved -= loan.amount;
        heldFees -= APPLICATION_FEE;
        if (collateral < collateralFor(loan.amount)) {
            loan.status = Status.REJECTED;
            delete openLoan[loan.borrower];
            emit LoanRejected(requestId, loan.borrower, loan.amount, collateral);
            return;
        }
        loan.status = Status.LENT;
        emit LoanApproved(requestId, loan.borrower, loan.amount, collateral);
        token.safeTransfer(loan.borrower, loan.amount);
    }

    /// @dev 100 blocks without an answer.
    function _onGivenUp(uint256 requestId, bytes32) internal override {
        _refund(requestId);
    }

    /// @dev SECURITY: a borrower that refuses its fee leaves it to the lender; a revert would keep `amount` reserved for good.
    function _refund(uint256 requestId) private {
        Loan storage loan = loans[requestId];
        loan.status = Status.REFUNDED;
        reserved -= loan.amount;
        heldFees -= APPLICATION_FEE;
        delete openLoan[loan.borrower];
        emit LoanRefunded(requestId, loan.borrower, APPLICATION_FEE);
        _tryPay(loan.borrower, APPLICATION_FEE);
    }
}
