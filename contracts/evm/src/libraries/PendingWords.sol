// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {State} from "../interfaces/XvmTypes.sol";

/// @title The two words that a source gateway keeps of a request
/// @notice `who`: requester(160) ‖ callback gas(32) ‖ deadline(40) ‖ state(8) ‖ asked by its own transaction(1), from the least
/// significant bit. `fees`: execution share(80) ‖ callback share(80) ‖ signers' share(80) ‖ expired bps(16); for a failed
/// handler `fees` is the outcome's struct hash instead, its fees being paid.
library PendingWords {
    uint256 internal constant MAX_SHARE = type(uint80).max;

    uint256 private constant DEADLINE_MASK = uint256(type(uint40).max) << 192;
    uint256 private constant STATE_SHIFT = 232;
    uint256 private constant STATE_MASK = 0xff << STATE_SHIFT;

    function packWho(address requester, uint256 callbackGas, uint256 deadline, uint8 state_, bool eoa)
        internal
        pure
        returns (uint256)
    {
        return uint256(uint160(requester)) | (callbackGas << 160) | (deadline << 192) | (uint256(state_) << STATE_SHIFT)
            | ((eoa ? uint256(1) : 0) << 240);
    }

    function requesterOf(uint256 who) internal pure returns (address) {
        return address(uint160(who));
    }

    function callbackGasOf(uint256 who) internal pure returns (uint256) {
        return uint32(who >> 160);
    }

    /// @dev In blocks of the callbacks' clock, which stands still while callbacks are paused. Of a cancelled request: the second at
    /// which it was cancelled.
    function deadlineOf(uint256 who) internal pure returns (uint256) {
        return uint40(who >> 192);
    }

    function stateOf(uint256 who) internal pure returns (uint8) {
        return uint8(who >> STATE_SHIFT);
    }

    function isEoa(uint256 who) internal pure returns (bool) {
        return (who >> 240) & 1 == 1;
    }

    function withState(uint256 who, uint8 state_) internal pure returns (uint256) {
        return (who & ~STATE_MASK) | (uint256(state_) << STATE_SHIFT);
    }

    /// @dev Cancelled: the deadline makes room for the second at which that happened.
    function cancelledAt(uint256 who, uint256 timestamp) internal pure returns (uint256) {
        return withState(who & ~DEADLINE_MASK, State.CANCELLED) | (timestamp << 192);
    }

    function packFees(uint256 execution, uint256 callback_, uint256 signers, uint256 bps)
        internal
        pure
        returns (uint256)
    {
        return execution | (callback_ << 80) | (signers << 160) | (bps << 240);
    }

    function withoutCallback(uint256 fees) internal pure returns (uint256) {
        return fees & ~(MAX_SHARE << 80);
    }

    function executionOf(uint256 fees) internal pure returns (uint256) {
        return uint80(fees);
    }

    function callbackOf(uint256 fees) internal pure returns (uint256) {
        return uint80(fees >> 80);
    }

    function signersOf(uint256 fees) internal pure returns (uint256) {
        return uint80(fees >> 160);
    }

    function expiredBpsOf(uint256 fees) internal pure returns (uint256) {
        return fees >> 240;
    }

    function totalOf(uint256 fees) internal pure returns (uint256) {
        return executionOf(fees) + callbackOf(fees) + signersOf(fees);
    }
}
