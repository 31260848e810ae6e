using Microsoft.Extensions.DependencyInjection;

namespace Postern.Store.Tests;

public abstract class MigrationTests<TDatabase> : StoreSuite<TDatabase> where TDatabase : ITestDatabase
{
    [Fact]
    public async Task Migrate_ByEightNodesAtOnceOnAnEmptyDatabase_RunsOnce()
    {
        await using var fixture = new StoreFixture(await TDatabase.CreateAsync(), StoreTime.Bound);
        var nodes = Enumerable.Range(0, 8).Select(i => fixture.AddNode($"n{i}").GetRequiredService<PosternStore>()).ToArray();

        await Task.WhenAll(nodes.Select(node => Task.Run(() => node.MigrateAsync(Cancellation), Cancellation)));

        foreach (var node in nodes)
            await node.RecordAsync(Given.Event(), Cancellation);
        Assert.Equal(1, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM leases"));
    }

    [Fact]
    public async Task Migrate_ByEightNodesAtOnceWithoutTheLock_Fails()
    {
        // What one process does after the other without harm goes wrong at once: on which statement, and in how many of them, is chance.
        for (var round = 1; ; round++)
        {
            await using var fixture = new StoreFixture(await TDatabase.CreateAsync(), StoreTime.Bound);
            var nodes = Enumerable.Range(0, 8).Select(i => fixture.AddNode($"n{i}")).ToArray();
            foreach (var node in nodes)
                await (await node.GetRequiredService<SqlDialect>().LockForMigrationAsync(Cancellation)).DisposeAsync();
            using var together = new Barrier(nodes.Length);

            var failures = await Task.WhenAll(nodes.Select(node => Task.Factory.StartNew(
                () =>
                {
                    together.SignalAndWait(Cancellation);
                    return Record.ExceptionAsync(() => node.GetRequiredService<Migrator>().UnlockedAsync()).AsTask();
                },
                Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap()));

            if (failures.Any(failure => failure is not null))
                return;
            Assert.True(round < 10, "Eight nodes migrated at once without the lock, ten times, and none of them failed: is the lock needed?");
        }
    }

    [Fact]
    public async Task Migrate_FromTheVersionBefore_KeepsWhatItHas()
    {
        await using var fixture = new StoreFixture(await TDatabase.CreateAsync(), StoreTime.Bound);
        await using (await fixture.First.GetRequiredService<SqlDialect>().LockForMigrationAsync(Cancellation))
            await fixture.First.GetRequiredService<Migrator>().UnlockedAsync(6);
        await fixture.SqlAsync(
            """
            INSERT INTO tenant_keys (tenant, version, active_tenant, root_key_id, wrapped, created_at)
            VALUES ('acme', '11111111-1111-4111-8111-111111111111', 'acme', 'root', @wrapped, 1)
            """,
            new { wrapped = new byte[] { 1, 2, 3 } });

        await fixture.Store.MigrateAsync(Cancellation);

        var key = Assert.Single(await fixture.Store.Keys.AllAsync(Cancellation));
        Assert.Equal((true, false, "root"), (key.Active, key.Rotating, key.RootKeyId));
        Assert.Empty(await fixture.Store.Revocations.CountAsync(Given.Tenant, Cancellation));
    }

    [Fact]
    public async Task Migrate_Again_ChangesNothing()
    {
        await using var fixture = await StartAsync();
        var grant = await Given.ActiveGrantAsync(fixture);

        await fixture.Store.MigrateAsync(Cancellation);

        Assert.Equal(grant.CreatedAt, (await fixture.GrantAsync(grant.Id)).CreatedAt);
        Assert.Equal(1, await fixture.ScalarAsync<long>("SELECT counted FROM counters WHERE name = 'feed'"));
    }
}

public sealed class MigrationsOnSqlite : MigrationTests<Sqlite>;

public sealed class MigrationsOnPostgreSql : MigrationTests<PostgreSql>;

public sealed class MigrationsOnMariaDb : MigrationTests<MariaDb>;
