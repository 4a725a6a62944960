// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IXvmRegistry} from "./interfaces/IXvmRegistry.sol";
import {Erc7930} from "./libraries/Erc7930.sol";

/// @title Registry
/// @notice See `IXvmRegistry`. It holds no money and calls nobody.
contract XvmRegistry is Ownable2Step, IXvmRegistry {
    using Erc7930 for bytes;

    bytes[] private _chains;
    bytes[] private _routeSources;
    bytes[] private _routeDestinations;
    bytes32[] private _operators;

    mapping(bytes32 chainHash => ChainRecord[]) private _chainRecords;
    mapping(bytes32 routeHash => RouteRecord[]) private _routeRecords;
    mapping(bytes32 operator => Operator) private _operatorRecords;
    mapping(bytes32 operator => bool) private _isListed;

    /// @param owner_ Keeps the records; a timelock where it matters.
    constructor(address owner_) Ownable(owner_) {}

    /// @inheritdoc IXvmRegistry
    function recordChain(bytes calldata chain, ChainRecord calldata record) external onlyOwner {
        (uint256 position, uint256 addressLength) = bytes(chain).split();
        if (position == 0 || addressLength != 0) revert MalformedChain();
        bytes32 chainHash = keccak256(chain);
        if (record.gateway.length != 0) {
            (position, addressLength) = bytes(record.gateway).split();
            if (position == 0 || addressLength == 0 || bytes(record.gateway).chainHash(position) != chainHash) {
                revert MalformedGateway();
            }
        }
        if (record.finality != Finality.DEPTH && record.depthBlocks != 0) revert BadFinality();
        ChainRecord[] storage records = _chainRecords[chainHash];
        if (records.length == 0) {
            _chains.push(chain);
        } else {
            _requireLater(record.activationHeight, records[records.length - 1].activationHeight);
        }
        records.push(record);
        emit XVMChainRecorded(chainHash, chain, record);
    }

    /// @inheritdoc IXvmRegistry
    function recordRoute(bytes calldata source, bytes calldata destination, RouteRecord calldata record)
        external
        onlyOwner
    {
        (uint256 position, uint256 addressLength) = bytes(source).split();
        if (position == 0 || addressLength == 0) revert MalformedGateway();
        (position,) = bytes(destination).split();
        if (position == 0) revert MalformedGateway();
        bytes32 routeHash = keccak256(bytes.concat(source, destination));
        RouteRecord[] storage records = _routeRecords[routeHash];
        if (records.length == 0) {
            _routeSources.push(source);
            _routeDestinations.push(destination);
        } else {
            RouteRecord storage last = records[records.length - 1];
            _requireLater(record.sourceActivationHeight, last.sourceActivationHeight);
            _requireLater(record.destinationActivationHeight, last.destinationActivationHeight);
        }
        records.push(record);
        emit XVMRouteRecorded(routeHash, source, destination, record);
    }

    /// @inheritdoc IXvmRegistry
    function setOperator(bytes32 operator, Operator calldata record) external onlyOwner {
        if (operator == 0) revert BadOperator();
        if (!_isListed[operator]) {
            _isListed[operator] = true;
            _operators.push(operator);
        }
        _operatorRecords[operator] = record;
        emit XVMOperatorSet(operator, record.endpoint, record.payout);
    }

    /// @inheritdoc IXvmRegistry
    function chains() external view returns (bytes[] memory) {
        return _chains;
    }

    /// @inheritdoc IXvmRegistry
    function chainRecords(bytes calldata chain) external view returns (ChainRecord[] memory) {
        return _chainRecords[keccak256(chain)];
    }

    /// @inheritdoc IXvmRegistry
    function gatewayOf(bytes calldata chain) external view returns (bytes memory gateway) {
        ChainRecord[] storage records = _chainRecords[keccak256(chain)];
        if (records.length != 0) gateway = records[records.length - 1].gateway;
    }

    /// @inheritdoc IXvmRegistry
    function routes() external view returns (bytes[] memory sources, bytes[] memory destinations) {
        return (_routeSources, _routeDestinations);
    }

    /// @inheritdoc IXvmRegistry
    function routeRecords(bytes32 routeHash) external view returns (RouteRecord[] memory) {
        return _routeRecords[routeHash];
    }

    /// @inheritdoc IXvmRegistry
    function operators() external view returns (bytes32[] memory) {
        return _operators;
    }

    /// @inheritdoc IXvmRegistry
    function operatorRecord(bytes32 operator) external view returns (Operator memory) {
        return _operatorRecords[operator];
    }

    /// @inheritdoc IXvmRegistry
    function payoutOf(bytes32 operator) external view returns (address) {
        return _operatorRecords[operator].payout;
    }

    function _requireLater(uint64 height, uint64 latest) private pure {
        if (height <= latest) revert ActivationNotLater(height, latest);
    }
}
