import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Failure } from './failure.ts';
import { isAlive, type ProcessMark } from './processes.ts';
import type { ServiceName } from './services.ts';

/** A running system as npm start wrote it down: the file system.json in its data folder, readable by its user alone. */
export interface System {
  dataFolder: string;
  /** The process of npm start. */
  process: ProcessMark;
  issuer: { url: string; tokenUrl: string; clientId: string; clientSecret: string };
  /** Address of the database `postgres` as superuser. */
  postgresUrl: string;
  /** POST <url>/services/<name>/restart?downMs=… with the token as bearer kills a service and starts it again. */
  control: { url: string; token: string };
  services: Record<ServiceName, RunningService>;
}

export interface RunningService {
  /** False for one left out with --only or --except; it belongs at the addresses all the same. */
  isStarted: boolean;
  /** http://127.0.0.1:port */
  http: string;
  /** 127.0.0.1:port; undefined for a service without gRPC. */
  grpc?: string;
  health: string;
  metrics: string;
  pid?: number;
  databaseUrl: string;
  logFile: string;
  /** The whole configuration the service needs, secrets included. */
  env: Record<string, string>;
}

const workspace = resolve(import.meta.dirname, '../..');

/** Where `npm start` keeps its data: KASSA_DATA, or .kassa in this workspace. */
export const dataFolderOf = (env: NodeJS.ProcessEnv): string => resolve(workspace, env['KASSA_DATA'] ?? '.kassa');

/** The running system of the data folder, or of the file that KASSA_SYSTEM names. Throws Failure when none runs. */
export function readSystem(env: NodeJS.ProcessEnv): System {
  const file = env['KASSA_SYSTEM'] ?? join(dataFolderOf(env), 'system.json');
  let system: System;
  try {
    system = JSON.parse(readFileSync(file, 'utf8')) as System;
  } catch {
    throw new Failure(`No Kassa runs on ${file.replace(/\/system\.json$/, '')}: npm start in another terminal first.`);
  }
  if (!isAlive(system.process)) throw new Failure(`The Kassa that wrote ${file} is gone: npm start in another terminal first.`);
  return system;
}
