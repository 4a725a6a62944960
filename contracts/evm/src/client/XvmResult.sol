// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @notice What a callback says of a request, with what the client wrote down when it asked.
struct XvmResult {
    /// The target ran and returned.
    bool success;
    /// What it returned; or what it reverted with; empty if it did not run or said nothing. Cut at the request's return limit.
    bytes data;
    /// As given when asking.
    bytes32 context;
}

/// @notice What can be known of an outcome from its callback.
enum Verdict {
    /// The target returned.
    RETURNED,
    /// The target failed and said why.
    REVERTED,
    /// No data came back: the target failed without a word or ran out of gas, there was no code to call (or other code than asked
    /// for), or the request expired first. A callback does not tell these apart: the kind in the gateway's event does.
    SILENT
}

/// @title Reading of results
/// @notice None of these reverts: a callback that does has to be replayed, and would fail again. For verdicts other than
/// `RETURNED` the call left no trace on its target.
library XvmResults {
    /// @dev `Error(string)`.
    bytes4 private constant ERROR = 0x08c379a0;

    /// @notice What can be known of the outcome.
    function verdict(XvmResult memory result) internal pure returns (Verdict) {
        if (result.success) return Verdict.RETURNED;
        return result.data.length == 0 ? Verdict.SILENT : Verdict.REVERTED;
    }

    /// @notice The first returned word.
    /// @return known The target returned one at least.
    function tryUint(XvmResult memory result) internal pure returns (bool known, uint256 value) {
        known = result.success && result.data.length >= 32;
        if (known) value = uint256(_word(result.data, 0));
    }

    /// @notice The first returned word, as a flag.
    /// @return known The target returned a word, and it is 0 or 1.
    function tryBool(XvmResult memory result) internal pure returns (bool known, bool value) {
        uint256 word;
        (known, word) = tryUint(result);
        known = known && word < 2;
        value = known && word == 1;
    }

    /// @notice The first returned word, as an account of an EVM chain.
    /// @return known The target returned a word, and it fits an address.
    function tryAddress(XvmResult memory result) internal pure returns (bool known, address value) {
        uint256 word;
        (known, word) = tryUint(result);
        known = known && word >> 160 == 0;
        if (known) value = address(uint160(word));
    }

    /// @notice The only returned value, a `bytes` or `string`.
    /// @return known The target returned one, and it is whole: not cut at the return limit.
    function tryBytes(XvmResult memory result) internal pure returns (bool known, bytes memory value) {
        if (result.success) return _bytesAt(result.data, 0);
    }

    /// @notice The custom error, or `Error(string)` or `Panic(uint256)`, that the target failed with; 0 if it named none.
    function errorSelector(XvmResult memory result) internal pure returns (bytes4) {
        return result.success || result.data.length < 4 ? bytes4(0) : bytes4(result.data);
    }

    /// @notice The message of `require(…, "message")` or `revert("message")`.
    /// @return known The target failed with one, and it is whole.
    function tryReason(XvmResult memory result) internal pure returns (bool known, string memory reason) {
        if (errorSelector(result) != ERROR) return (false, reason);
        bytes memory text;
        (known, text) = _bytesAt(result.data, 4);
        return (known, string(text));
    }

    /// @dev The abi-encoded `bytes` whose place is told by the word at `start`, by places counted from there.
    function _bytesAt(bytes memory data, uint256 start) private pure returns (bool known, bytes memory value) {
        if (data.length < start + 64) return (false, value);
        uint256 room = data.length - start - 32;
        uint256 place = uint256(_word(data, start));
        if (place > room) return (false, value);
        uint256 length = uint256(_word(data, start + place));
        if (length > room - place) return (false, value);
        value = new bytes(length);
        assembly ("memory-safe") {
            mcopy(add(value, 32), add(add(add(data, 64), start), place), length)
        }
        return (true, value);
    }

    function _word(bytes memory data, uint256 position) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 32), position))
        }
    }
}
