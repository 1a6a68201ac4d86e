export { EipPoolError, isEipPoolError, type ErrorCode } from './errors.js';
