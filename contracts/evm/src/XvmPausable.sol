// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IXvmPausable} from "./interfaces/IXvmPausable.sol";

/// @title Who may pause, and for how long
/// @notice Knows no particular pause: the contracts that can be paused store theirs.
abstract contract XvmPausable is Ownable2Step, IXvmPausable {
    /// @inheritdoc IXvmPausable
    uint32 public immutable maxPauseBlocks;

    /// @inheritdoc IXvmPausable
    address public guardian;

    constructor(address owner_, address guardian_, uint32 maxPauseBlocks_) Ownable(owner_) {
        maxPauseBlocks = maxPauseBlocks_;
        _setGuardian(guardian_);
    }

    /// @inheritdoc IXvmPausable
    function setGuardian(address guardian_) external onlyOwner {
        _setGuardian(guardian_);
    }

    /// @notice Judges a pause of `blocks_` blocks from now by the caller.
    /// @param guardianFromBlock From when the guardian may pause this.
    /// @return untilBlock The block from which this is open again.
    /// @return nextGuardianFromBlock What to store for the guardian's next pause of this.
    function _pauseUntil(uint256 guardianFromBlock, uint32 blocks_)
        internal
        view
        returns (uint40 untilBlock, uint40 nextGuardianFromBlock)
    {
        if (blocks_ == 0 || blocks_ > maxPauseBlocks) revert PauseTooLong(blocks_, maxPauseBlocks);
        untilBlock = uint40(block.number + blocks_);
        nextGuardianFromBlock = uint40(guardianFromBlock);
        if (msg.sender != owner()) {
            // SECURITY: only these two may stop anything
            if (msg.sender != guardian) revert NotGuardian(msg.sender);
            // SECURITY: a rest after each pause, or a stolen guardian key could pause for ever
            if (block.number < guardianFromBlock) revert PauseTooSoon(guardianFromBlock);
            nextGuardianFromBlock = untilBlock + maxPauseBlocks;
        }
    }

    function _setGuardian(address guardian_) private {
        guardian = guardian_;
        emit XVMGuardianChanged(guardian_);
    }
}
