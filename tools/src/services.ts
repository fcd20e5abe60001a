/** The five processes of Kassa, in the order they are shown. `database` is what PostgreSQL calls a service's database and role. */
export const services = {
  sales: { number: 1, database: 'sales', hasGrpc: true },
  payments: { number: 2, database: 'payments', hasGrpc: true },
  inventory: { number: 3, database: 'inventory', hasGrpc: true },
  'stock-lookup': { number: 4, database: 'stock_lookup', hasGrpc: true },
  acquirer: { number: 5, database: 'acquirer', hasGrpc: false },
} as const;

export type ServiceName = keyof typeof services;

export const serviceNames = Object.keys(services) as ServiceName[];

export interface ServicePorts {
  http: number;
  grpc: number;
  health: number;
  metrics: number;
}

export interface Ports {
  issuer: number;
  postgres: number;
  services: Record<ServiceName, ServicePorts>;
}

/** The README's table of ports, each `shift` higher. In a pod all services use 8080, 9000, 9090 and 9091 instead. */
export function tablePorts(shift: number): Ports {
  return {
    issuer: 8080 + shift,
    postgres: 5488 + shift,
    services: perService((name) => {
      const number = services[name].number + shift;
      return { http: 8080 + number, grpc: 9080 + number, health: 9180 + number, metrics: 9280 + number };
    }),
  };
}

export async function anyPorts(freePort: () => Promise<number>): Promise<Ports> {
  const ports = tablePorts(0);
  for (const name of serviceNames) {
    ports.services[name] = {
      http: await freePort(),
      grpc: await freePort(),
      health: await freePort(),
      metrics: await freePort(),
    };
  }
  return { ...ports, issuer: await freePort(), postgres: await freePort() };
}

export function perService<T>(make: (name: ServiceName) => T): Record<ServiceName, T> {
  return Object.fromEntries(serviceNames.map((name) => [name, make(name)])) as Record<ServiceName, T>;
}
