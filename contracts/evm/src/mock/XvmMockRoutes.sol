// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IXvmRoutes} from "../interfaces/IXvmRoutes.sol";
import {Mode, Options} from "../interfaces/XvmTypes.sol";
import {Erc7930} from "../libraries/Erc7930.sol";

/// @title Routes of a mock gateway
/// @notice There is one to every chain, with the protocol's own bounds and defaults and a price that tests set. A real route's
/// bounds may be narrower.
abstract contract XvmMockRoutes {
    using Erc7930 for bytes;

    uint256 private constant MAX_PAYLOAD_BYTES = 65_536;
    uint256 private constant MAX_RETURN_BYTES = 65_536;
    uint256 private constant MAX_GAS = 10_000_000;
    uint256 private constant MAX_METADATA_BYTES = 256;
    uint256 private constant DEADLINE_BLOCKS = 100;
    uint256 private constant MAX_DEADLINE_BLOCKS = 1_000_000;
    uint64 private constant DEFAULT_EXPIRY_SECONDS = 90;
    uint64 private constant MAX_EXPIRY_SECONDS = 30 days;

    /// @dev Of the execution share, what the payee of an `EXPIRED` or `DUPLICATE` receipt keeps.
    uint16 private constant EXPIRED_BPS = 2000;

    uint80 private _executionShare = 0.0003 ether;
    uint80 private _callbackShare = 0.0002 ether;
    uint80 private _signersShare = 0.0001 ether;

    function _setPrice(uint80 executionShare, uint80 callbackShare, uint80 signersShare) internal {
        _executionShare = executionShare;
        _callbackShare = callbackShare;
        _signersShare = signersShare;
    }

    /// @dev As `IXvmRoutes.plan`.
    function _plan(bytes memory target, uint256 payloadLength, Options memory options)
        internal
        view
        returns (IXvmRoutes.Plan memory planned)
    {
        (uint256 position, uint256 addressLength) = target.split();
        bool isEvm = target.length > 3 && target[2] == 0 && target[3] == 0;
        if (position == 0 || addressLength == 0 || (isEvm && addressLength != 20)) revert IXvmRoutes.MalformedTarget();
        if (payloadLength > MAX_PAYLOAD_BYTES) revert IXvmRoutes.PayloadTooLarge(payloadLength, MAX_PAYLOAD_BYTES);
        if (options.metadata.length > MAX_METADATA_BYTES) {
            revert IXvmRoutes.MetadataTooLarge(options.metadata.length, MAX_METADATA_BYTES);
        }

        planned.returnLimit = options.returnLimit == 0 ? 1024 : options.returnLimit;
        if (planned.returnLimit > MAX_RETURN_BYTES) {
            revert IXvmRoutes.ReturnLimitTooHigh(planned.returnLimit, MAX_RETURN_BYTES);
        }
        planned.executionGasLimit = options.executionGasLimit == 0 ? 500_000 : options.executionGasLimit;
        if (planned.executionGasLimit > MAX_GAS) {
            revert IXvmRoutes.ExecutionGasTooHigh(planned.executionGasLimit, MAX_GAS);
        }
        planned.callbackGasLimit = options.callbackGasLimit == 0 ? 300_000 : options.callbackGasLimit;
        if (planned.callbackGasLimit > MAX_GAS) {
            revert IXvmRoutes.CallbackGasTooHigh(planned.callbackGasLimit, MAX_GAS);
        }
        planned.deadlineBlocks = options.deadlineBlocks == 0 ? uint64(DEADLINE_BLOCKS) : options.deadlineBlocks;
        if (planned.deadlineBlocks < DEADLINE_BLOCKS || planned.deadlineBlocks > MAX_DEADLINE_BLOCKS) {
            revert IXvmRoutes.DeadlineOutOfBounds(planned.deadlineBlocks, DEADLINE_BLOCKS, MAX_DEADLINE_BLOCKS);
        }

        if (options.mode == Mode.CALL) {
            planned.destinationGateway = abi.encodePacked(_head(target, position), uint8(20), address(this));
            planned.destination = planned.destinationGateway;
            planned.expiry = _expiry(options.expiry);
            planned.executionShare = _executionShare;
            planned.expiredBps = EXPIRED_BPS;
        } else if (options.mode == Mode.QUERY) {
            if (options.expiry != 0) revert IXvmRoutes.ExpiryOutOfBounds(options.expiry, 0, 0);
            if (options.ownAccount || options.ordered || options.codeHash != 0) revert IXvmRoutes.NotForQueries();
            planned.destination = target.chainOf(position);
        } else {
            revert IXvmRoutes.UnknownMode(options.mode);
        }
        planned.callbackShare = _callbackShare;
        planned.signersShare = _signersShare;
    }

    function _expiry(uint64 expiry) private view returns (uint64) {
        if (expiry == 0) return uint64(block.timestamp) + DEFAULT_EXPIRY_SECONDS;
        uint256 latest = block.timestamp + MAX_EXPIRY_SECONDS;
        if (expiry <= block.timestamp || expiry > latest) {
            revert IXvmRoutes.ExpiryOutOfBounds(expiry, block.timestamp + 1, latest);
        }
        return expiry;
    }

    /// @dev version ‖ type ‖ reference of an account.
    function _head(bytes memory account, uint256 position) private pure returns (bytes memory head) {
        head = new bytes(position);
        for (uint256 i = 0; i < position; ++i) {
            head[i] = account[i];
        }
    }
}
