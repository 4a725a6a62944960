// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IXvmDestination} from "../interfaces/IXvmDestination.sol";

/// @title A target to call
/// @notice Counts, answers, fails and burns gas on demand, and tells who asked. For demonstrations and tests.
contract XvmCounter {
    /// @notice The counter moved. `requestId` and `sender` are those of the request, if one is being executed.
    event Incremented(uint256 count, address caller, uint256 requestId, bytes sender);

    /// @notice What `fail` reverts with.
    error Refused(uint256 code);

    /// @notice Gateway whose current request is told.
    IXvmDestination public immutable gateway;

    uint256 public count;

    constructor(IXvmDestination gateway_) {
        gateway = gateway_;
    }

    /// @notice Adds `amount`.
    /// @return newCount The sum.
    function increment(uint256 amount) external returns (uint256 newCount) {
        newCount = count + amount;
        count = newCount;
        uint256 requestId;
        bytes memory sender;
        // the current request is the caller's only while the caller is the executor
        if (msg.sender == gateway.executor()) (requestId, sender) = gateway.currentRequest();
        emit Incremented(newCount, msg.sender, requestId, sender);
    }

    /// @notice Returns `length` bytes, each 0xab.
    function answer(uint256 length) external pure returns (bytes memory data) {
        data = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            data[i] = 0xab;
        }
    }

    /// @notice Reverts with `Refused(code)`.
    function fail(uint256 code) external pure {
        revert Refused(code);
    }

    /// @notice Burns all gas it is given.
    function burn() external pure {
        while (true) {}
    }
}
