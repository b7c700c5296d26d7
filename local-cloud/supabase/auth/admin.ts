import { json, type Call } from '../answer.ts';
import { bannedUntil, emailOf, objectOf, passwordOf, readFields, textOf, type Fields } from './body.ts';
import { AuthError } from './errors.ts';
import type { AuthContext, Route } from './handle.ts';
import { hashPassword } from './passwords.ts';
import { deleteUser, findUserByEmail, insertUser, listUsers, readUser, showUser, updateUser } from './users.ts';

/** Lets only the secret key (or a token of role service_role) on. */
const asAdmin = (route: Route): Route => async (call, context, id) => {
  if (call.caller.role !== 'service_role') throw new AuthError(403, 'not_admin', 'User not allowed');
  return route(call, context, id);
};

const passwordHash = async (fields: Fields, { passwordCost }: AuthContext) => (fields['password'] === undefined ? undefined : hashPassword(passwordOf(fields), passwordCost));

const numberOf = (call: Call, name: string, fallback: number, most: number) => {
  const value = Number(call.query.get(name) ?? '');
  return Number.isInteger(value) && value > 0 ? Math.min(value, most) : fallback;
};

export const adminRoutes: Readonly<Record<string, Route>> = {
  'POST /admin/users': asAdmin(async (call, context) => {
    const fields = readFields(call);
    const user = await insertUser(context.pool, {
      id: fields['id'] === undefined ? undefined : textOf(fields, 'id'),
      email: emailOf(fields), passwordHash: (await passwordHash(fields, context)) ?? null, confirmed: fields['email_confirm'] === true,
      appMetadata: objectOf(fields, 'app_metadata'), userMetadata: objectOf(fields, 'user_metadata'),
    }, new AuthError(422, 'email_exists', 'A user with this email address has already been registered'));
    return json(200, showUser(user));
  }),
  'GET /admin/users': asAdmin(async (call, { pool }) => {
    const page = numberOf(call, 'page', 1, 1_000_000);
    const perPage = numberOf(call, 'per_page', 50, 1_000);
    const { users, total } = await listUsers(pool, page, perPage);
    const last = Math.max(1, Math.ceil(total / perPage));
    const link = [...(page < last ? [`<?page=${page + 1}&per_page=${perPage}>; rel="next"`] : []), `<?page=${last}&per_page=${perPage}>; rel="last"`];
    return json(200, { users: users.map(showUser), aud: 'authenticated' }, { 'x-total-count': String(total), link: link.join(', ') });
  }),
  'GET /admin/users/:id': asAdmin(async (_, { pool }, id) => json(200, showUser(await readUser(pool, id)))),
  'PUT /admin/users/:id': asAdmin(async (call, context, id) => {
    const fields = readFields(call);
    await readUser(context.pool, id);
    return json(200, showUser(await updateUser(context.pool, id, {
      email: fields['email'] === undefined ? undefined : emailOf(fields), passwordHash: await passwordHash(fields, context),
      appMetadata: objectOf(fields, 'app_metadata'), userMetadata: objectOf(fields, 'user_metadata'), bannedUntil: bannedUntil(fields, context.now()),
    })));
  }),
  'DELETE /admin/users/:id': asAdmin(async (_, { pool }, id) => {
    await readUser(pool, id);
    await deleteUser(pool, id);
    return json(200, {});
  }),
  'POST /admin/generate_link': asAdmin(async (call, { pool, sessions }) => {
    const fields = readFields(call);
    if (textOf(fields, 'type') !== 'magiclink') throw new AuthError(400, 'validation_failed', 'This gateway makes links of type magiclink only');
    const user = await findUserByEmail(pool, emailOf(fields));
    if (user === null) throw new AuthError(404, 'user_not_found', 'User not found');
    return json(200, { ...showUser(user), hashed_token: await sessions.issueOneTime(user.id, 'magiclink'), verification_type: 'magiclink', redirect_to: fields['redirect_to'] ?? '' });
  }),
};
