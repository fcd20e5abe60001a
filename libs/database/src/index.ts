export { openDatabase, type Answered, type Database, type DatabaseOptions, type Statement } from './database.ts';
export { ExpectationFailed, isExpectation } from './errors.ts';
