// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IXvmGateway} from "./interfaces/IXvmGateway.sol";
import {IXvmRegistry} from "./interfaces/IXvmRegistry.sol";
import {IXvmRoutes} from "./interfaces/IXvmRoutes.sol";
import {IXvmVerifier} from "./interfaces/IXvmVerifier.sol";
import {Direction} from "./interfaces/XvmTypes.sol";
import {XvmPausable} from "./XvmPausable.sol";

/// @title What both sides of a gateway stand on
/// @notice Its neighbours, its pauses and the clock of its deadlines. Holds no request and no money.
abstract contract XvmControl is XvmPausable, IXvmGateway {
    /// @dev Read as a whole by every delivery.
    struct Control {
        IXvmVerifier verifier;
        uint40 callbacksPausedUntil;
        /// Blocks that callbacks were paused for, up to the start of the last pause.
        uint40 pausedBlocks;
        /// Counts the verifiers, from 1.
        uint8 verifierNumber;
    }

    struct Pauses {
        uint40 requestsUntil;
        uint40 executionsUntil;
        /// Start of the callbacks' last pause while it is not yet counted in `pausedBlocks`.
        uint40 callbacksFrom;
        uint40 requestsGuardianFrom;
        uint40 executionsGuardianFrom;
        uint40 callbacksGuardianFrom;
    }

    IXvmRoutes internal immutable ROUTES;
    IXvmRegistry internal immutable REGISTRY;

    Control internal _control;
    Pauses internal _pauses;

    uint8 private _verifierCount;
    mapping(address verifier_ => uint8) private _verifierNumbers;

    constructor(IXvmRoutes routes_, IXvmRegistry registry_) {
        if (address(routes_) == address(0)) revert ZeroAddress();
        ROUTES = routes_;
        REGISTRY = registry_;
    }

    /// @inheritdoc IXvmGateway
    function gatewayAddress() external view returns (bytes memory) {
        return _accountAddress(address(this));
    }

    /// @inheritdoc IXvmGateway
    function verifier() external view returns (address) {
        return address(_control.verifier);
    }

    /// @inheritdoc IXvmGateway
    function routes() external view returns (address) {
        return address(ROUTES);
    }

    /// @inheritdoc IXvmGateway
    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    /// @inheritdoc IXvmGateway
    function setVerifier(address verifier_) external onlyOwner {
        if (verifier_ == address(0)) revert ZeroAddress();
        if (IXvmVerifier(verifier_).gateway() != address(this)) revert OtherGatewaysVerifier(verifier_);
        _requireRisingEpochs(IXvmVerifier(verifier_));
        uint8 number = _verifierNumbers[verifier_];
        if (number == 0) {
            if (_verifierCount == type(uint8).max) revert TooManyVerifiers();
            number = ++_verifierCount;
            _verifierNumbers[verifier_] = number;
        }
        _control.verifier = IXvmVerifier(verifier_);
        _control.verifierNumber = number;
        emit XVMVerifierChanged(verifier_);
    }

    /// @inheritdoc IXvmGateway
    function pause(Direction direction, uint32 blocks_) external {
        Pauses memory pauses = _pauses;
        uint40 untilBlock;
        if (direction == Direction.REQUESTS) {
            (untilBlock, pauses.requestsGuardianFrom) = _pauseUntil(pauses.requestsGuardianFrom, blocks_);
            pauses.requestsUntil = untilBlock;
        } else if (direction == Direction.EXECUTIONS) {
            (untilBlock, pauses.executionsGuardianFrom) = _pauseUntil(pauses.executionsGuardianFrom, blocks_);
            pauses.executionsUntil = untilBlock;
        } else {
            (untilBlock, pauses.callbacksGuardianFrom) = _pauseUntil(pauses.callbacksGuardianFrom, blocks_);
            Control memory control = _control;
            control.pausedBlocks = uint40(_pausedBlocks(control));
            control.callbacksPausedUntil = untilBlock;
            pauses.callbacksFrom = uint40(block.number);
            _control = control;
        }
        _pauses = pauses;
        emit XVMPaused(direction, untilBlock, msg.sender);
    }

    /// @inheritdoc IXvmGateway
    function unpause(Direction direction) external onlyOwner {
        if (direction == Direction.REQUESTS) {
            _pauses.requestsUntil = 0;
        } else if (direction == Direction.EXECUTIONS) {
            _pauses.executionsUntil = 0;
        } else {
            Control memory control = _control;
            control.pausedBlocks = uint40(_pausedBlocks(control));
            control.callbacksPausedUntil = 0;
            _control = control;
            _pauses.callbacksFrom = 0;
        }
        emit XVMPaused(direction, 0, msg.sender);
    }

    /// @inheritdoc IXvmGateway
    function pausedUntilBlock(Direction direction) external view returns (uint256 untilBlock) {
        if (direction == Direction.REQUESTS) untilBlock = _pauses.requestsUntil;
        else if (direction == Direction.EXECUTIONS) untilBlock = _pauses.executionsUntil;
        else untilBlock = _control.callbacksPausedUntil;
        if (block.number >= untilBlock) untilBlock = 0;
    }

    /// @dev SECURITY: a contract that calls could hold its handler's or target's lock (or balance, or price) in a state that
    /// makes it fail, and the failure would be final. An account with code may be delegated (EIP-7702) to such a contract.
    // forge-lint: disable-next-line(tx-origin)
    function _requireDirectCaller() internal view {
        if (msg.sender != tx.origin || msg.sender.code.length != 0) revert ContractCaller(msg.sender);
    }

    function _requireOpen(Direction direction, uint256 untilBlock) internal view {
        if (block.number < untilBlock) revert Paused(direction, untilBlock);
    }

    /// @dev Blocks that callbacks have been paused for until now.
    function _pausedBlocks(Control memory control) internal view returns (uint256 blocks_) {
        blocks_ = control.pausedBlocks;
        if (control.callbacksPausedUntil != 0) {
            uint256 end = block.number < control.callbacksPausedUntil ? block.number : control.callbacksPausedUntil;
            blocks_ += end - _pauses.callbacksFrom;
        }
    }

    /// @dev SECURITY: an epoch that stood at the former verifier has certificates in public, and theirs is the same domain.
    function _requireRisingEpochs(IXvmVerifier next) private view {
        IXvmVerifier former = _control.verifier;
        if (address(former) == address(0)) return;
        (uint64 given, uint64 newest) = (next.currentEpoch(), former.currentEpoch());
        if (newest != 0 && given <= newest) revert EpochsMustRise(given, newest);
    }

    /// @dev The number of a verifier that this gateway has or had.
    function _verifierNumber(address verifier_) internal view returns (uint8 number) {
        number = _verifierNumbers[verifier_];
        if (number == 0) revert UnknownVerifier(verifier_);
    }

    /// @dev Names an epoch of a verifier in 32 bits. Epochs rise by one at a time: 24 bits are enough for any gateway's life.
    function _epochTag(uint8 verifierNumber, uint64 epoch) internal pure returns (uint32) {
        return (uint32(verifierNumber) << 24) | uint24(epoch);
    }

    /// @dev ERC-7930 address of an account of this chain.
    function _accountAddress(address account) internal view returns (bytes memory) {
        return InteroperableAddress.formatEvmV1(block.chainid, account);
    }
}
