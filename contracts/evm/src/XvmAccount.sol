// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmAccount} from "./interfaces/IXvmAccount.sol";
import {BoundedCall} from "./libraries/BoundedCall.sol";

/// @title A sender's own account
/// @notice See `IXvmAccount`. It knows no sender: its address commits to one.
contract XvmAccount is IXvmAccount {
    address private immutable ACCOUNTS;

    constructor() {
        ACCOUNTS = msg.sender;
    }

    /// @inheritdoc IXvmAccount
    receive() external payable {}

    /// @inheritdoc IXvmAccount
    function run(address target, uint256 gasLimit, uint256 returnLimit, bytes calldata payload)
        external
        returns (bool, bool, bytes memory)
    {
        // SECURITY: targets take this account's calls for its sender's
        if (msg.sender != ACCOUNTS) revert OnlyAccounts(msg.sender);
        BoundedCall.callAndReturn(target, gasLimit, returnLimit, payload);
    }

    /// @inheritdoc IXvmAccount
    function pay(address to, uint256 amount) external {
        // SECURITY: only while it runs its own sender's request, or anybody could empty it
        if (msg.sender != address(this)) revert OnlyItself(msg.sender);
        (bool paid,) = to.call{value: amount}("");
        if (!paid) revert PaymentRefused(to);
    }
}
