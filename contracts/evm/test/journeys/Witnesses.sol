// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmCallback} from "../../src/interfaces/IXvmCallback.sol";

/// @notice A target that remembers what ran, by a tag that all attempts of a request carry.
contract Ledger {
    mapping(uint256 tag => uint256) public runs;
    mapping(uint256 line => uint256) private _last;

    /// @notice Something ran a second time.
    bool public ranTwice;

    /// @notice Something ordered ran after what was asked for later.
    bool public ranOutOfOrder;

    /// @param tag Names a request and its retries; rises.
    /// @param line 0 for an unordered request, else who ordered it.
    function note(uint256 tag, uint256 line, bool failing) external returns (uint256) {
        require(!failing, "failing");
        if (++runs[tag] > 1) ranTwice = true;
        if (line != 0) {
            if (tag <= _last[line]) ranOutOfOrder = true;
            _last[line] = tag;
        }
        return tag;
    }
}

/// @notice A requester that remembers what it was told, and fails when it is set to.
contract Asker is IXvmCallback {
    address private immutable GATEWAY;

    mapping(uint256 requestId => uint256) public told;
    mapping(uint256 requestId => bool) public succeeded;
    bool public failing;

    constructor(address gateway) {
        GATEWAY = gateway;
    }

    receive() external payable {}

    function setFailing(bool failing_) external {
        failing = failing_;
    }

    function forward(uint256 value, bytes calldata data) external {
        (bool success, bytes memory answer) = GATEWAY.call{value: value}(data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    function xvmCallback(uint256 requestId, bool success, bytes calldata) external {
        require(msg.sender == GATEWAY && !failing, "refused");
        ++told[requestId];
        succeeded[requestId] = success;
    }
}
