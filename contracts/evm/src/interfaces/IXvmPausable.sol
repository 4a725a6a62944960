// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @title Time-limited pauses
/// @notice The guardian may stop something for a limited number of blocks, and not again at once; the owner may lift any
/// pause and set one without waiting. What is not named as pausable (cancelling, refunds, `expire`, withdrawals) never is.
interface IXvmPausable {
    /// @notice The guardian changed.
    event XVMGuardianChanged(address indexed guardian);

    /// @notice Neither the guardian nor the owner.
    error NotGuardian(address caller);

    /// @notice A pause lasts from 1 block to `maxPauseBlocks`.
    error PauseTooLong(uint256 blocks, uint256 maxBlocks);

    /// @notice The guardian's last pause of this runs, or ended less than `maxPauseBlocks` blocks ago.
    error PauseTooSoon(uint256 allowedFromBlock);

    /// @notice An address that must not be zero is.
    error ZeroAddress();

    /// @notice Who may pause, besides the owner.
    function guardian() external view returns (address);

    /// @notice The longest pause, and how long the guardian rests after one, in blocks of this chain.
    function maxPauseBlocks() external view returns (uint32);

    /// @notice Names another guardian; owner only. Zero: nobody.
    function setGuardian(address guardian_) external;
}
