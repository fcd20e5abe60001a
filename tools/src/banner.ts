import colors from 'picocolors';
import { saleLine } from './sale-line.ts';
import { services, serviceNames } from './services.ts';
import type { System } from './system.ts';

export interface BannerFacts {
  system: System;
  seconds: number;
  postgres: string;
  /** A cashier's token. */
  token: string;
  isEphemeral: boolean;
}

/** What a person wants to know once everything runs: what is where, a token, and a line that makes a sale. */
export function banner(facts: BannerFacts): string {
  const { system, seconds, token } = facts;
  const canSell = serviceNames.every((name) => name === 'stock-lookup' || system.services[name].isStarted);
  return [
    '',
    `${colors.bold(colors.green('Kassa is running'))}, ready after ${seconds.toFixed(1)} s. Ctrl-C ends it.`,
    '',
    ...table(facts).map((line) => `  ${line}`),
    '',
    `  Data: ${system.dataFolder}   Logs: ${system.dataFolder}/logs`,
    ...(facts.isEphemeral
      ? [`  Other commands find this system with: export KASSA_SYSTEM=${system.dataFolder}/system.json`]
      : []),
    '',
    `${colors.bold('A cashier at register dk-001-01')} (others: npm run -s token -- --help); Swagger UI takes it under Authorize:`,
    '',
    token,
    ...(canSell
      ? [
          '',
          `${colors.bold('Make a sale')}: paste this line into another terminal (or see a whole day: npm run demo)`,
          '',
          saleLine(system, token),
        ]
      : []),
    '',
  ].join('\n');
}

function table({ system, postgres }: BannerFacts): string[] {
  const heading = ['', 'Swagger UI', 'gRPC', 'ready', 'metrics', 'process'];
  const rows = serviceNames.map((name) => {
    const { isStarted, http, grpc, health, metrics, pid } = system.services[name];
    const process = isStarted ? String(pid ?? '') : `not started: npx nx serve ${name}`;
    return [
      name,
      `${local(http)}/docs`,
      grpc && services[name].hasGrpc ? local(grpc) : '–',
      `${local(health)}/readyz`,
      `${local(metrics)}/metrics`,
      process,
    ];
  });
  const others = [
    ['token issuer', local(system.issuer.url), '', '', '', String(system.process.pid)],
    ['PostgreSQL', postgres, '', '', '', ''],
  ];
  const widths = heading.map((_, column) =>
    Math.max(...[heading, ...rows, ...others.slice(0, 1)].map((row) => (row[column] ?? '').length)),
  );
  const line = (row: string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  const bold = (row: string[]) => line(row).replace(row[0] ?? '', colors.bold(row[0] ?? ''));
  return [colors.dim(line(heading)), ...[...rows, ...others].map(bold)];
}

const local = (address: string) => address.replace('127.0.0.1', 'localhost');
