import { roles as allRoles, type Role } from '@kassa/auth';

export interface MatrixRoute {
  /** How the row is called in the test's title, such as `POST /v1/sales/{id}/lines`. */
  route: string;
  /** Roles the route lets in. */
  roles: Role[];
  /** Whether the resource belongs to a shop, so that another shop's caller must not learn that it exists. */
  isShopBound: boolean;
}

export interface MatrixRow extends MatrixRoute {
  /** Undefined: a call without a token. */
  role: Role | undefined;
  shop: 'own' | 'other';
  /** What the server must answer; `allowed` is any status but 401, 403 and 404. */
  expected: 401 | 403 | 404 | 'allowed';
}

/**
 * Every role, and nobody, on every route, in the own and in another shop: rows for `test.each`.
 * Callers with one of the roles `unbound` belong to no shop and see what belongs to any.
 */
export function roleMatrix(routes: MatrixRoute[], unbound: Role[] = ['web-shop', 'operator', 'service']): MatrixRow[] {
  return routes.flatMap((route) => [
    { ...route, role: undefined, shop: 'own', expected: 401 },
    ...allRoles.flatMap((role) =>
      (['own', 'other'] as const).map((shop) => ({ ...route, role, shop, expected: expected(route, role, shop, unbound) })),
    ),
  ]);
}

function expected(route: MatrixRoute, role: Role, shop: 'own' | 'other', unbound: Role[]): MatrixRow['expected'] {
  if (!route.roles.includes(role)) return 403;
  return route.isShopBound && shop === 'other' && !unbound.includes(role) ? 404 : 'allowed';
}
