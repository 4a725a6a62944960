// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmGateway} from "./interfaces/IXvmGateway.sol";
import {IXvmVerifier} from "./interfaces/IXvmVerifier.sol";
import {SignerSet} from "./interfaces/XvmTypes.sol";
import {XvmControl} from "./XvmControl.sol";

/// @title What a gateway owes
/// @notice Balance = open fees + credits + what is held for signers. Money leaves by `withdraw` (and what was overpaid, at once).
abstract contract XvmCredits is XvmControl {
    /// @dev One word an account, so that a delivery credits its sender and the signers by one write.
    struct Account {
        /// Wei that it may withdraw.
        uint128 credit;
        /// Wei that its deliveries earned for the signers of one epoch and that nobody has collected yet.
        uint96 forSigners;
        /// Which epoch: number of the verifier(8) ‖ epoch(24); see `_epochTag`.
        uint32 epochTag;
    }

    address private _treasury;
    mapping(address account => Account) private _accounts;
    mapping(uint32 epochTag => uint256) private _pools;

    constructor(address treasury_) {
        _setTreasury(treasury_);
    }

    /// @inheritdoc IXvmGateway
    function withdraw(address to) external returns (uint256 amount) {
        Account storage account = _accounts[msg.sender];
        amount = account.credit;
        if (amount == 0) revert NoCredit(msg.sender);
        // SECURITY: cleared before the call, or the receiver could come back for it
        account.credit = 0;
        emit XVMWithdrawn(msg.sender, to, amount);
        if (!_pay(to, amount)) revert WithdrawalRefused(to);
    }

    /// @inheritdoc IXvmGateway
    function collectForSigners(address[] calldata deliverers) external {
        for (uint256 i = 0; i < deliverers.length; ++i) {
            Account storage account = _accounts[deliverers[i]];
            _pools[account.epochTag] += account.forSigners;
            account.forSigners = 0;
        }
    }

    /// @inheritdoc IXvmGateway
    function paySigners(address verifier_, uint64 epoch) external returns (uint256 amount) {
        uint32 epochTag = _epochTag(_verifierNumber(verifier_), epoch);
        amount = _pools[epochTag];
        if (amount == 0) revert NoCredit(verifier_);
        _pools[epochTag] = 0;
        (SignerSet memory set,) = IXvmVerifier(verifier_).signerSet(epoch);
        uint256 totalWeight;
        for (uint256 i = 0; i < set.signers.length; ++i) {
            totalWeight += set.signers[i].weight;
        }
        uint256 rest = amount;
        for (uint256 i = 0; i < set.signers.length; ++i) {
            uint256 share = amount * set.signers[i].weight / totalWeight;
            rest -= share;
            address payout;
            if (address(REGISTRY) != address(0)) payout = REGISTRY.payoutOf(set.signers[i].operator);
            _credit(payout == address(0) ? _treasury : payout, share);
        }
        _credit(_treasury, rest);
        emit XVMSignersPaid(verifier_, epoch, amount);
    }

    /// @inheritdoc IXvmGateway
    function setTreasury(address treasury_) external onlyOwner {
        _setTreasury(treasury_);
    }

    /// @inheritdoc IXvmGateway
    function credits(address account) external view returns (uint256) {
        return _accounts[account].credit;
    }

    /// @inheritdoc IXvmGateway
    function signersPool(address verifier_, uint64 epoch) external view returns (uint256) {
        return _pools[_epochTag(_verifierNumber(verifier_), epoch)];
    }

    /// @inheritdoc IXvmGateway
    function uncollected(address deliverer) external view returns (uint256) {
        return _accounts[deliverer].forSigners;
    }

    /// @inheritdoc IXvmGateway
    function treasury() external view returns (address) {
        return _treasury;
    }

    function _credit(address account, uint256 amount) internal {
        // a zero credit would write a slot for nothing
        if (amount != 0) _accounts[account].credit += uint128(amount);
    }

    /// @dev Credits the account that a payee word names; the treasury if it names none on this chain.
    function _creditPayee(bytes32 payee, uint256 amount) internal {
        bool valid = payee != 0 && uint256(payee) >> 160 == 0;
        if (amount != 0) _credit(valid ? address(uint160(uint256(payee))) : _treasury, amount);
    }

    /// @dev Credits a deliverer, and by the same write what it earned for an epoch's signers.
    function _creditDeliverer(address deliverer, uint256 amount, uint32 epochTag, uint256 forSigners) internal {
        Account memory account = _accounts[deliverer];
        account.credit += uint128(amount);
        if (account.epochTag != epochTag) {
            if (account.forSigners != 0) _pools[account.epochTag] += account.forSigners;
            account.forSigners = 0;
            account.epochTag = epochTag;
        }
        account.forSigners += uint96(forSigners);
        _accounts[deliverer] = account;
    }

    /// @dev Sends wei back at once; what is refused becomes a credit, so that nobody can be blocked by a receiver.
    function _giveBack(address to, uint256 amount) internal {
        if (amount != 0 && !_pay(to, amount)) _credit(to, amount);
    }

    /// @dev Sends wei with all gas, copying nothing of the answer.
    function _pay(address to, uint256 amount) internal returns (bool paid) {
        assembly ("memory-safe") {
            paid := call(gas(), to, amount, 0, 0, 0, 0)
        }
    }

    function _setTreasury(address treasury_) private {
        if (treasury_ == address(0)) revert ZeroAddress();
        _treasury = treasury_;
        emit XVMTreasuryChanged(treasury_);
    }
}
