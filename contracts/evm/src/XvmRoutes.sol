// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmRoutes} from "./interfaces/IXvmRoutes.sol";
import {Mode, Options} from "./interfaces/XvmTypes.sol";
import {Erc7930} from "./libraries/Erc7930.sol";
import {XvmPausable} from "./XvmPausable.sol";

/// @title Route and price table
/// @notice See `IXvmRoutes`. It holds no money and calls nobody.
contract XvmRoutes is XvmPausable, IXvmRoutes {
    using Erc7930 for bytes;

    /// @notice The protocol's bounds, which no route may exceed.
    uint256 internal constant MAX_PAYLOAD_BYTES = 65_536;
    uint256 internal constant MAX_RETURN_BYTES = 65_536;
    uint256 internal constant MAX_GAS = 10_000_000;
    uint256 internal constant MAX_METADATA_BYTES = 256;
    uint256 internal constant MIN_DEADLINE_BLOCKS = 100;

    /// @notice What 0 in the options stands for.
    uint256 internal constant DEFAULT_EXECUTION_GAS = 500_000;
    uint256 internal constant DEFAULT_CALLBACK_GAS = 300_000;
    uint256 internal constant DEFAULT_RETURN_BYTES = 1024;

    uint256 private constant GIGAGAS = 1e9;
    uint256 private constant BPS = 10_000;

    struct PauseRecord {
        uint40 untilBlock;
        uint40 guardianFromBlock;
    }

    struct OutboundRecord {
        bool open;
        PauseRecord pause;
        Outbound route;
    }

    struct InboundRecord {
        bool registered;
        PauseRecord pause;
    }

    struct PriceRecord {
        bool set;
        uint40 settledFromBlock;
        Price newest;
        Price previous;
    }

    /// @inheritdoc IXvmRoutes
    uint32 public immutable quoteValidityBlocks;

    /// @inheritdoc IXvmRoutes
    uint32 public immutable blockMilliseconds;

    mapping(bytes32 chainHash => OutboundRecord) private _outbound;
    mapping(bytes32 sourceGatewayHash => InboundRecord) private _inbound;
    mapping(bytes32 chainHash => PriceRecord) private _prices;

    /// @param owner_ Who sets routes and prices; a timelock where it matters.
    /// @param guardian_ Who may pause routes.
    /// @param maxPauseBlocks_ See `IXvmPausable.maxPauseBlocks`.
    /// @param quoteValidityBlocks_ For how many blocks a quote is honoured.
    /// @param blockMilliseconds_ This chain's average block time.
    constructor(
        address owner_,
        address guardian_,
        uint32 maxPauseBlocks_,
        uint32 quoteValidityBlocks_,
        uint32 blockMilliseconds_
    ) XvmPausable(owner_, guardian_, maxPauseBlocks_) {
        quoteValidityBlocks = quoteValidityBlocks_;
        blockMilliseconds = blockMilliseconds_;
    }

    /// @inheritdoc IXvmRoutes
    function setOutbound(bytes calldata chain, Outbound calldata route) external onlyOwner {
        bytes32 chainHash = _chainHash(chain);
        _checkRoute(chainHash, route);
        OutboundRecord storage record = _outbound[chainHash];
        record.open = true;
        record.route = route;
        emit XVMOutboundSet(chainHash, chain, route);
    }

    /// @inheritdoc IXvmRoutes
    function removeOutbound(bytes calldata chain) external onlyOwner {
        bytes32 chainHash = keccak256(chain);
        _openRoute(chainHash).open = false;
        emit XVMOutboundRemoved(chainHash, chain);
    }

    /// @inheritdoc IXvmRoutes
    function setPrice(bytes calldata chain, Price calldata price_) external onlyOwner {
        bytes32 chainHash = _chainHash(chain);
        PriceRecord storage record = _prices[chainHash];
        if (block.number < record.settledFromBlock) revert PriceUnsettled(record.settledFromBlock);
        if (record.set) {
            record.previous = record.newest;
            record.settledFromBlock = uint40(block.number + quoteValidityBlocks);
        }
        record.set = true;
        record.newest = price_;
        emit XVMPriceSet(chainHash, chain, price_, record.settledFromBlock);
    }

    /// @inheritdoc IXvmRoutes
    function setInbound(bytes calldata sourceGateway, bool registered) external onlyOwner {
        (uint256 position, uint256 addressLength) = bytes(sourceGateway).split();
        if (position == 0 || addressLength == 0) revert MalformedGateway();
        bytes32 sourceGatewayHash = keccak256(sourceGateway);
        _inbound[sourceGatewayHash].registered = registered;
        emit XVMInboundSet(sourceGatewayHash, sourceGateway, registered);
    }

    /// @inheritdoc IXvmRoutes
    function pauseOutbound(bytes calldata chain, uint32 blocks_) external {
        bytes32 chainHash = keccak256(chain);
        _pause(_openRoute(chainHash).pause, blocks_);
        emit XVMOutboundPaused(chainHash, _outbound[chainHash].pause.untilBlock, msg.sender);
    }

    /// @inheritdoc IXvmRoutes
    function pauseInbound(bytes calldata sourceGateway, uint32 blocks_) external {
        bytes32 sourceGatewayHash = keccak256(sourceGateway);
        InboundRecord storage record = _inbound[sourceGatewayHash];
        if (!record.registered) revert Unrouted(sourceGatewayHash);
        _pause(record.pause, blocks_);
        emit XVMInboundPaused(sourceGatewayHash, record.pause.untilBlock, msg.sender);
    }

    /// @inheritdoc IXvmRoutes
    function unpauseOutbound(bytes calldata chain) external onlyOwner {
        bytes32 chainHash = keccak256(chain);
        _outbound[chainHash].pause.untilBlock = 0;
        emit XVMOutboundPaused(chainHash, 0, msg.sender);
    }

    /// @inheritdoc IXvmRoutes
    function unpauseInbound(bytes calldata sourceGateway) external onlyOwner {
        bytes32 sourceGatewayHash = keccak256(sourceGateway);
        _inbound[sourceGatewayHash].pause.untilBlock = 0;
        emit XVMInboundPaused(sourceGatewayHash, 0, msg.sender);
    }

    /// @inheritdoc IXvmRoutes
    function plan(bytes calldata target, uint256 payloadLength, Options calldata options)
        external
        view
        returns (Plan memory planned)
    {
        bytes32 chainHash;
        (planned, chainHash) = _planUnpriced(target, payloadLength, options);
        uint256 untilBlock = _outbound[chainHash].pause.untilBlock;
        if (block.number < untilBlock) revert RoutePaused(untilBlock);
        PriceRecord storage record = _priced(chainHash);
        _applyPrice(planned, record.newest, payloadLength, options.mode);
        // A quote stays good for a stated time: until then neither price change costs an asker more than it read.
        if (block.number < record.settledFromBlock) {
            uint256 newestFee = _fee(planned);
            _applyPrice(planned, record.previous, payloadLength, options.mode);
            if (newestFee < _fee(planned)) _applyPrice(planned, record.newest, payloadLength, options.mode);
        }
    }

    /// @inheritdoc IXvmRoutes
    function quote(bytes calldata target, uint256 payloadLength, Options calldata options)
        external
        view
        returns (uint256 fee)
    {
        (Plan memory planned, bytes32 chainHash) = _planUnpriced(target, payloadLength, options);
        _applyPrice(planned, _priced(chainHash).newest, payloadLength, options.mode);
        return _fee(planned);
    }

    /// @inheritdoc IXvmRoutes
    function inbound(bytes32 sourceGatewayHash) external view returns (Inbound) {
        InboundRecord storage record = _inbound[sourceGatewayHash];
        if (!record.registered) return Inbound.UNREGISTERED;
        return block.number < record.pause.untilBlock ? Inbound.PAUSED : Inbound.OPEN;
    }

    /// @inheritdoc IXvmRoutes
    function outbound(bytes calldata chain) external view returns (Outbound memory route, uint256 pausedUntilBlock) {
        OutboundRecord storage record = _openRoute(keccak256(chain));
        return (record.route, block.number < record.pause.untilBlock ? record.pause.untilBlock : 0);
    }

    /// @inheritdoc IXvmRoutes
    function price(bytes calldata chain) external view returns (Price memory newest, uint256 settledFromBlock) {
        PriceRecord storage record = _priced(keccak256(chain));
        return (record.newest, record.settledFromBlock);
    }

    function _pause(PauseRecord storage record, uint32 blocks_) private {
        (record.untilBlock, record.guardianFromBlock) = _pauseUntil(record.guardianFromBlock, blocks_);
    }

    /// @dev Everything of a plan but the shares.
    function _planUnpriced(bytes memory target, uint256 payloadLength, Options calldata options)
        private
        view
        returns (Plan memory planned, bytes32 chainHash)
    {
        (uint256 position, uint256 addressLength) = target.split();
        if (position == 0 || addressLength == 0) revert MalformedTarget();
        chainHash = target.chainHash(position);
        Outbound storage route = _openRoute(chainHash).route;
        if (addressLength > 63 || (route.addressLengths >> addressLength) & 1 == 0) revert MalformedTarget();
        if (payloadLength > route.maxPayloadBytes) revert PayloadTooLarge(payloadLength, route.maxPayloadBytes);
        if (options.metadata.length > MAX_METADATA_BYTES) {
            revert MetadataTooLarge(options.metadata.length, MAX_METADATA_BYTES);
        }

        uint256 limit = options.returnLimit == 0 ? DEFAULT_RETURN_BYTES : options.returnLimit;
        if (limit > route.maxReturnBytes) revert ReturnLimitTooHigh(limit, route.maxReturnBytes);
        planned.returnLimit = uint32(limit);

        limit = options.executionGasLimit == 0 ? DEFAULT_EXECUTION_GAS : options.executionGasLimit;
        if (limit > route.maxExecutionGas) revert ExecutionGasTooHigh(limit, route.maxExecutionGas);
        planned.executionGasLimit = uint64(limit);

        limit = options.callbackGasLimit == 0 ? DEFAULT_CALLBACK_GAS : options.callbackGasLimit;
        if (limit > route.maxCallbackGas) revert CallbackGasTooHigh(limit, route.maxCallbackGas);
        planned.callbackGasLimit = uint64(limit);

        limit = options.deadlineBlocks == 0 ? route.deadlineBlocks : options.deadlineBlocks;
        if (limit < route.deadlineBlocks || limit > route.maxDeadlineBlocks) {
            revert DeadlineOutOfBounds(limit, route.deadlineBlocks, route.maxDeadlineBlocks);
        }
        planned.deadlineBlocks = uint64(limit);

        if (options.mode == Mode.CALL) {
            planned.destinationGateway = route.destinationGateway;
            if (planned.destinationGateway.length == 0) revert Unrouted(chainHash);
            planned.destination = planned.destinationGateway;
            planned.expiry = _expiry(route, options.expiry);
        } else if (options.mode == Mode.QUERY) {
            if (!route.queries) revert Unrouted(chainHash);
            if (options.expiry != 0) revert ExpiryOutOfBounds(options.expiry, 0, 0);
            if (options.ownAccount || options.ordered || options.codeHash != 0) revert NotForQueries();
            planned.destination = target.chainOf(position);
        } else {
            revert UnknownMode(options.mode);
        }
    }

    function _expiry(Outbound storage route, uint64 expiry) private view returns (uint64) {
        if (expiry == 0) return uint64(block.timestamp) + route.defaultExpirySeconds;
        uint256 earliest = block.timestamp + route.minExpirySeconds;
        uint256 latest = block.timestamp + route.maxExpirySeconds;
        if (expiry < earliest || expiry > latest) revert ExpiryOutOfBounds(expiry, earliest, latest);
        return expiry;
    }

    /// @dev Sets the shares of a plan; rounds in favour of who works.
    function _applyPrice(Plan memory planned, Price memory price_, uint256 payloadLength, uint8 mode) private pure {
        planned.executionShare = 0;
        planned.expiredBps = 0;
        uint256 queryWei = 0;
        uint256 work = planned.executionGasLimit + payloadLength * price_.executionGasPerByte;
        if (mode == Mode.QUERY) {
            // SECURITY: each signer runs it: were it free, an asker could burn all of theirs for a callback's price
            queryWei = (_wei(work, price_.executionWeiPerGigagas) * price_.queryBps + BPS - 1) / BPS;
        } else {
            planned.executionShare = _wei(work + price_.executionOverheadGas, price_.executionWeiPerGigagas);
            if (planned.executionShare != 0) {
                uint256 expired = _wei(price_.expireGas, price_.executionWeiPerGigagas);
                uint256 bps = (expired * BPS + planned.executionShare - 1) / planned.executionShare;
                planned.expiredBps = uint16(bps > BPS ? BPS : bps);
            }
        }
        planned.callbackShare = _wei(
            planned.callbackGasLimit + price_.callbackOverheadGas + uint256(planned.returnLimit)
                * price_.callbackGasPerByte,
            price_.callbackWeiPerGigagas
        );
        planned.signersShare =
            price_.signersWei + queryWei + (planned.executionShare + planned.callbackShare) * price_.marginBps / BPS;
    }

    function _wei(uint256 gasUnits, uint256 weiPerGigagas) private pure returns (uint256) {
        return (gasUnits * weiPerGigagas + GIGAGAS - 1) / GIGAGAS;
    }

    function _fee(Plan memory planned) private pure returns (uint256) {
        return planned.executionShare + planned.callbackShare + planned.signersShare;
    }

    function _openRoute(bytes32 chainHash) private view returns (OutboundRecord storage record) {
        record = _outbound[chainHash];
        if (!record.open) revert Unrouted(chainHash);
    }

    function _priced(bytes32 chainHash) private view returns (PriceRecord storage record) {
        record = _prices[chainHash];
        if (!record.set) revert Unpriced(chainHash);
    }

    function _chainHash(bytes memory chain) private pure returns (bytes32) {
        (uint256 position, uint256 addressLength) = chain.split();
        if (position == 0 || addressLength != 0) revert MalformedChain();
        return keccak256(chain);
    }

    /// @dev The protocol's bounds, and that every default lies within the route's own.
    function _checkRoute(bytes32 chainHash, Outbound calldata route) private view {
        if (route.destinationGateway.length != 0) {
            (uint256 position, uint256 addressLength) = bytes(route.destinationGateway).split();
            if (position == 0 || addressLength == 0) revert MalformedGateway();
            if (bytes(route.destinationGateway).chainHash(position) != chainHash) revert MalformedGateway();
        } else if (!route.queries) {
            revert BadRoute("queries");
        }
        if (route.addressLengths == 0) revert BadRoute("addressLengths");
        if (route.maxPayloadBytes > MAX_PAYLOAD_BYTES) revert BadRoute("maxPayloadBytes");
        if (_outside(route.maxReturnBytes, DEFAULT_RETURN_BYTES, MAX_RETURN_BYTES)) revert BadRoute("maxReturnBytes");
        if (_outside(route.maxExecutionGas, DEFAULT_EXECUTION_GAS, MAX_GAS)) revert BadRoute("maxExecutionGas");
        if (_outside(route.maxCallbackGas, DEFAULT_CALLBACK_GAS, MAX_GAS)) revert BadRoute("maxCallbackGas");
        if (_outside(route.defaultExpirySeconds, route.minExpirySeconds, route.maxExpirySeconds)) {
            revert BadRoute("defaultExpirySeconds");
        }
        if (_outside(route.deadlineBlocks, MIN_DEADLINE_BLOCKS, route.maxDeadlineBlocks)) {
            revert BadRoute("deadlineBlocks");
        }
        // A default expiry passes before the default deadline: who takes both may cancel as soon as the deadline is over.
        if (uint256(route.defaultExpirySeconds) * 1000 >= uint256(route.deadlineBlocks) * blockMilliseconds) {
            revert BadRoute("defaultExpirySeconds");
        }
    }

    function _outside(uint256 value, uint256 lowest, uint256 highest) private pure returns (bool) {
        return value < lowest || value > highest;
    }
}
