// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmAccount} from "./interfaces/IXvmAccount.sol";
import {IXvmAccounts} from "./interfaces/IXvmAccounts.sol";
import {IXvmExecutor} from "./interfaces/IXvmExecutor.sol";
import {XvmAccount} from "./XvmAccount.sol";

/// @title The senders' own accounts
/// @notice See `IXvmAccounts`. Created by its gateway.
contract XvmAccounts is IXvmAccounts {
    bytes32 private immutable CREATION_CODE_HASH;

    /// @inheritdoc IXvmAccounts
    address public immutable gateway;

    constructor() {
        gateway = msg.sender;
        CREATION_CODE_HASH = keccak256(type(XvmAccount).creationCode);
    }

    /// @inheritdoc IXvmAccounts
    function run(bytes32 senderHash, address target, uint256 gasLimit, uint256 returnLimit, bytes calldata payload)
        external
        returns (bool, bool, bytes memory)
    {
        // SECURITY: only the gateway knows whose request is certified
        if (msg.sender != gateway) revert IXvmExecutor.OnlyGateway(msg.sender);
        address account = _accountOf(senderHash);
        if (account.code.length == 0) new XvmAccount{salt: senderHash}();
        // The account measures the target's gas, after all that was spent here. What reverts there reverts here, and is no outcome.
        return IXvmAccount(payable(account)).run(target, gasLimit, returnLimit, payload);
    }

    /// @inheritdoc IXvmAccounts
    function accountOf(bytes calldata sender) external view returns (address) {
        return _accountOf(keccak256(sender));
    }

    /// @dev SECURITY: the salt is the hash of all of a sender's address, chain included, so that no two share an account (EIP-1014).
    function _accountOf(bytes32 senderHash) private view returns (address) {
        bytes32 hash = keccak256(abi.encodePacked(hex"ff", address(this), senderHash, CREATION_CODE_HASH));
        return address(uint160(uint256(hash)));
    }
}
