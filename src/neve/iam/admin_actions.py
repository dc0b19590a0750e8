"""Actions of policies for users that are not S3's: administration, keys, temporary credentials.

MinIO's names, all of them, so that its policies are accepted as they are; which of them something
here asks for is `neve.admin`'s. Nothing asks for those of `kms:` and `sts:`.
"""

_ADMIN = """
    Heal StorageInfo Prometheus DataUsageInfo ForceUnlock TopLocksInfo Profiling ServerTrace
    ConsoleLog KMSCreateKey KMSKeyStatus ServerInfo OBDInfo InspectData ServerUpdate ServiceRestart
    ServiceStop ServiceFreeze ServiceUnfreeze ConfigUpdate CreateUser DeleteUser ListUsers
    EnableUser DisableUser GetUser SiteReplicationAdd SiteReplicationDisable SiteReplicationRemove
    SiteReplicationResync SiteReplicationInfo SiteReplicationOperation CreateServiceAccount
    UpdateServiceAccount RemoveServiceAccount ListServiceAccounts AddUserToGroup
    RemoveUserFromGroup GetGroup ListGroups EnableGroup DisableGroup CreatePolicy DeletePolicy
    GetPolicy AttachUserOrGroupPolicy AttachPolicy DetachPolicy UpdatePolicyAssociation
    ListUserPolicies ListTemporaryAccounts SetBucketQuota GetBucketQuota SetBucketTarget
    GetBucketTarget ReplicationDiff SetTier ListTier BandwidthMonitor ExportIAM ImportIAM
    ExportBucketMetadata ImportBucketMetadata Decommission Rebalance StartBatchJob ListBatchJobs
    DescribeBatchJob CancelBatchJob GenerateBatchJob Health AuditLog Cluster
"""
_KMS = """
    Status Metrics API Version CreateKey DeleteKey ListKeys ImportKey KeyStatus DescribePolicy
    AssignPolicy DeletePolicy SetPolicy GetPolicy ListPolicies DescribeIdentity
    DescribeSelfIdentity DeleteIdentity ListIdentities
"""
_STS = """
    AssumeRole AssumeRoleWithWebIdentity AssumeRoleWithLDAPIdentity AssumeRoleWithClientGrants
    AssumeRoleWithCertificate AssumeRoleWithCustomToken
"""

OTHER_ACTIONS: frozenset[str] = frozenset(
    f"{service}:{name}"
    for service, names in (("admin", _ADMIN), ("kms", _KMS), ("sts", _STS))
    for name in names.split()
)
"""`admin:…`, `kms:…` and `sts:…`: they have no resource."""
