/** The kernel's own tests of its heterogeneous memory management, made on the model. */
export * from './harness.ts';
export * from './ktap.ts';
export { TESTS } from './tests/index.ts';
