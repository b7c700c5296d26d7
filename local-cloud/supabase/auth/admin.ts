import { json, type Call } from '../answer.ts';
import { bannedUntil, emailOf, objectOf, passwordOf, readFields, textOf, type Fields } from './body.ts';
import { asAdmin, type AuthContext, type Route } from './context.ts';
import { generateLink } from './generate-link.ts';
import { hashPassword } from './passwords.ts';
import { emailTaken } from './mails.ts';
import { deleteUser, insertUser, listUsers, readUser, showUser, softDeleteUser, updateUser } from './users.ts';

const passwordHash = async (fields: Fields, { passwordCost }: AuthContext) => (fields['password'] === undefined ? undefined : hashPassword(passwordOf(fields), passwordCost));

const numberOf = (call: Call, name: string, fallback: number, most: number) => {
  const value = Number(call.query.get(name) ?? '');
  return Number.isInteger(value) && value > 0 ? Math.min(value, most) : fallback;
};

export const adminRoutes: Readonly<Record<string, Route>> = {
  'POST /admin/users': asAdmin(async (call, context) => {
    const fields = readFields(call);
    const until = bannedUntil(fields, context.now());
    const user = await insertUser(context.pool, {
      id: fields['id'] === undefined ? undefined : textOf(fields, 'id'),
      email: emailOf(fields), passwordHash: (await passwordHash(fields, context)) ?? null, confirmed: fields['email_confirm'] === true,
      appMetadata: objectOf(fields, 'app_metadata'), userMetadata: objectOf(fields, 'user_metadata'),
    }, emailTaken());
    return json(200, showUser(until === undefined ? user : await updateUser(context.pool, user.id, { bannedUntil: until })));
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
    const hash = await passwordHash(fields, context);
    const changed = await updateUser(context.pool, id, {
      email: fields['email'] === undefined ? undefined : emailOf(fields), passwordHash: hash, confirmed: fields['email_confirm'] === true,
      appMetadata: objectOf(fields, 'app_metadata'), userMetadata: objectOf(fields, 'user_metadata'), bannedUntil: bannedUntil(fields, context.now()),
    });
    // Whoever had the old password is signed out.
    if (hash !== undefined) await context.sessions.end(id, '', 'global');
    return json(200, showUser(changed));
  }),
  'DELETE /admin/users/:id': asAdmin(async (call, { pool }, id) => {
    await readUser(pool, id);
    await (readFields(call)['should_soft_delete'] === true ? softDeleteUser(pool, id) : deleteUser(pool, id));
    return json(200, {});
  }),
  'POST /admin/generate_link': asAdmin(generateLink),
};
